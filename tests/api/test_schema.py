"""The schema tells the truth: whatever a fuzzer makes of it, there is no 5xx and no answer it does not describe."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
from django.contrib.auth.models import Permission
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from leaderboard.boards import Board
from scoreboard.models import User
from tests.deploy.nginx import Web
from tests.live.server import Server
from tests.people import bearer, give

# Examples of each call and mode; `make fuzz` asks for many more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
UNLIMITED = {f"LIMIT_{name}": "off" for name in ("IP", "USER", "SIGN_IN", "SIGN_IN_ACCOUNT", "SIGN_UP", "ACTIONS")}
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
def web(board: Board, tmp_path: Path) -> Iterator[Server]:
    web = Web(tmp_path / "web.log", **UNLIMITED)
    yield web
    web.close()
    log = web.log.read_text()
    assert "Internal Server Error" not in log
    assert "Traceback" not in log


def explore(operation: Any, mode: GenerationMode, url: str, headers: dict[str, str]) -> None:
    """Calls one operation with EXAMPLES cases, as the schema wants them or as it does not."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, timeout=60)

    call()


@pytest.mark.timeout(1200)
def test_no_call_answers_what_the_schema_does_not_say(web: Server, board: Board, alice: User) -> None:
    give(alice, 7)
    alice.user_permissions.add(*Permission.objects.filter(codename__in=["give_bonus", "view_any_history"]))
    schema = schemathesis.openapi.from_url(web.http("/api/v1/schema"))
    operations: list[Any] = [result.ok() for result in cast(Any, schema.get_all_operations())]
    assert len(operations) > 12
    wrong: dict[str, str] = {}
    for operation in operations:
        for mode in GenerationMode:
            for who, headers in (("anyone", {}), ("alice", bearer(alice))):
                try:
                    explore(operation, mode, web.http(""), headers)
                except Unsatisfiable:
                    assert mode is GenerationMode.NEGATIVE  # nothing to get wrong in a call without parameters
                except (Exception, BaseExceptionGroup) as error:
                    wrong[f"{operation.label}, {mode.value}, {who}"] = str(error)[:2000]
    assert wrong == {}
