"""Traces, as a collector gets them: a click is one trace from its request to the push in another process."""

import json
import re
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from live_scoreboard import Client
from opentelemetry.sdk.trace import TracerProvider

from accounts.models import User
from leaderboard.boards import Board
from tests.support.collector import Collector, Span, collecting
from tests.support.people import back_end, bearer, players, site_key
from tests.support.processes import PATIENCE, ROOT, eventually, python
from tests.support.programs import needed
from tests.support.unlimited import UNLIMITED
from tests.support.worker import Worker
from tests.system.deploy.nginx import Web, post
from tests.system.live.server import Server

Start = Callable[..., Server]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def traced(collector: Collector, service: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_SERVICE_NAME": service,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "LOG_FORMAT": "json",
        **UNLIMITED,
    }


@pytest.fixture
def web(transactional_db: None, board: Board, collector: Collector, tmp_path: Path) -> Iterator[Web]:
    web = Web(tmp_path / "web.log", **traced(collector, "web"))
    yield web
    web.close()


def context() -> tuple[str, dict[str, str]]:
    """(trace id, the header of a caller that is in this trace)"""
    trace = uuid.uuid4().hex
    return trace, {"traceparent": f"00-{trace}-{uuid.uuid4().hex[:16]}-01"}


def click(web: Server, user: User, jwt: dict[str, str], key: dict[str, str], **headers: str) -> str:
    """One action, minted by the back end and redeemed by the player; returns the trace of the redemption."""
    asked = json.dumps({"action_type": "COMPLETE_TASK", "user_id": str(user.pk)}).encode()
    minted = json.loads(post(web, "/api/v1/action/token", asked, **key))["data"]
    body = {name: minted[name] for name in ("action_id", "action_type", "action_token")}
    trace, parent = context()
    handed_in = json.dumps({**body, "timestamp": time.time()}).encode()
    post(web, "/api/v1/score/update", handed_in, **jwt, **parent, **headers)
    return trace


def whole(collector: Collector, trace: str, *names: tuple[str, str]) -> dict[tuple[str, str], Span]:
    """The spans of a trace by (service, name), once all of these have come."""

    def come() -> dict[tuple[str, str], Span] | None:
        found = {(span.service, span.name): span for span in collector.of(trace)}
        return found if set(names) <= set(found) else None

    found = eventually(come, f"{trace} has {names}; there are {collector.of(trace)}")
    assert found is not None
    return found


def test_a_click_is_one_trace_from_the_request_to_the_push_in_another_process(
    web: Web, collector: Collector, tmp_path: Path, alice: User
) -> None:
    live = Server(tmp_path / "live.log", **traced(collector, "live"))
    try:
        trace = click(web, alice, bearer(alice), back_end())
        spans = whole(
            collector,
            trace,
            *(("web", name) for name in ("POST /api/v1/score/update", "commit", "postgresql redeem", "project")),
            *(("web", "redis write"), ("live", "push"), ("live", "redis top")),
        )
        parents = {
            name: parent.name for name, span in spans.items() for parent in spans.values() if parent.id == span.parent
        }
        assert parents["web", "commit"] == "POST /api/v1/score/update"
        assert parents["web", "postgresql redeem"] == parents["web", "project"] == "commit"
        assert parents["web", "redis write"] == "project"
        assert parents["live", "push"] == "project"
        assert parents["live", "redis top"] == "push"
        assert spans["live", "push"].attributes["board"] == "global"

        key = site_key()
        trace, parent = context()
        award = {"id": "order-1", "user_id": str(alice.pk), "action_type": "WIN_MATCH"}
        post(web, "/api/v1/awards", json.dumps(award).encode(), **key, **parent)
        whole(collector, trace, ("web", "POST /api/v1/awards"), ("web", "postgresql award"), ("live", "push"))
        lines = [json.loads(line) for line in web.log.read_text().splitlines() if line.startswith("{")]
        assert [line["trace_id"] for line in lines if line.get("path") == "/api/v1/awards"] == [trace]
        assert not any(span.name.endswith("/healthz") for span in collector.spans)
        a_read_from_memory(live, collector)
    finally:
        live.close()
    clicks_in_a_group(web, collector)
    calls_of_a_kit(web, collector)


def a_read_from_memory(live: Server, collector: Collector) -> None:
    """Django answers the first read of its kind; the process answers the next ones, and they are in traces, too."""
    read = ("live", "GET /api/v1/scoreboard/top")

    def answered() -> bool:
        trace, parent = context()
        request = urllib.request.Request(live.http("/api/v1/scoreboard/top"), headers=parent)  # noqa: S310
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            request_id = answer.headers["X-Request-ID"]
        span = whole(collector, trace, read)[read]
        assert span.parent == parent["traceparent"].split("-")[2]
        assert span.attributes["request_id"] == request_id
        assert span.attributes["http.response.status_code"] == 200
        return span.attributes.get("source") == "memory"

    eventually(answered, "one is answered from memory")


def calls_of_a_kit(web: Web, collector: Collector) -> None:
    """The trace of a call begins at its caller: by OpenTelemetry as the Python kit's README has it, and in Node.js."""
    key = site_key(limit="off")["Authorization"].removeprefix("Bearer ")
    kits = ROOT / "sdk"
    readme = (kits / "python" / "README.md").read_text()
    [documented] = re.findall(r"```python\n(from opentelemetry.*?)```", readme, re.DOTALL)
    names: dict[str, Any] = {"Client": Client, "url": web.http(""), "key": key}
    exec(documented, names)  # noqa: S102
    with TracerProvider().get_tracer("shop").start_as_current_span("order") as order:
        names["scores"].award(id="kit-1", player="42", action_type="WIN_MATCH")
    place = order.get_span_context()
    spans = whole(collector, f"{place.trace_id:032x}", ("web", "POST /api/v1/awards"), ("web", "postgresql award"))
    assert spans["web", "POST /api/v1/awards"].parent == f"{place.span_id:016x}"

    trace, parent = context()
    program = f"""
import {{ Client }} from '{(kits / "javascript/index.js").as_uri()}';
const traceparent = () => '{parent["traceparent"]}';
await new Client('{web.http("")}', {{ key: '{key}', traceparent }}).award({{
  id: 'kit-2', player: '42', action_type: 'WIN_MATCH',
}});"""
    node = [needed("node", "nodejs"), "--input-type=module", "--eval", program]
    subprocess.run(node, check=True, timeout=PATIENCE)
    spans = whole(collector, trace, ("web", "POST /api/v1/awards"), ("web", "postgresql award"))
    assert spans["web", "POST /api/v1/awards"].parent == parent["traceparent"].split("-")[2]


def clicks_in_a_group(web: Web, collector: Collector) -> None:
    """Many clicks at once are written together: one trace has what was done, the others lead there and back."""
    people = [(user, bearer(user)) for user in players(12)]
    key = back_end()

    def one(who: tuple[User, dict[str, str]]) -> str:
        try:
            return click(web, *who, key)
        finally:
            connections.close_all()

    def together() -> list[str]:
        with ThreadPoolExecutor(len(people)) as threads:
            traces = list(threads.map(one, people))
        for trace in traces:
            whole(collector, trace, ("web", "POST /api/v1/score/update"))
        led = [t for t in traces if not any(span.name == "commit" for span in collector.of(t))]
        return led

    led = eventually(together, "some clicks met")
    for trace in led:

        def known(trace: str = trace) -> Any:
            [request] = [span for span in collector.of(trace) if span.name == "POST /api/v1/score/update"]
            commits = [span for span in collector.spans if span.name == "commit" and trace in span.links]
            return commits and request.links == (commits[0].trace,)

        eventually(known, "request and commit are linked, each to the other")


@pytest.mark.long
def test_queued_work_goes_on_in_the_trace_of_its_request(
    web: Web, collector: Collector, tmp_path: Path, alice: User
) -> None:
    prefix = settings.REDIS_KEY_PREFIX
    worker = Worker(tmp_path / "worker.log", REDIS_KEY_PREFIX=prefix, **traced(collector, "worker"))
    try:
        trace = click(web, alice, bearer(alice), back_end(), Prefer="respond-async")
        names = ("actions.tasks.redeem_queued", "postgresql redeem", "project")
        whole(collector, trace, ("web", "POST /api/v1/score/update"), *(("worker", name) for name in names))
    finally:
        worker.close()


def test_without_an_endpoint_nothing_of_it_is_loaded() -> None:
    """And it need not be installed: without it redis-py, which would load a part of it, does not either."""
    missing = "import sys; sys.modules['opentelemetry'] = None; import config.wsgi; from api import tracing"
    said = python(f"{missing}; print([tracing.current(), tracing.span('x') is tracing.NOTHING])").stdout
    assert said.strip().endswith("['', True]")


def test_an_endpoint_without_the_packages_is_refused_at_start() -> None:
    missing = "import sys; sys.modules['opentelemetry.sdk'] = None; import config.wsgi"
    refused = python(missing, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert refused.returncode != 0
    assert "requirements-traces.txt" in refused.stderr
