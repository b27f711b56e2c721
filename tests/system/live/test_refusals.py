"""What the live side refuses is counted by its reason, and on record like what the API refuses."""

import urllib.error
from pathlib import Path

import pytest

from accounts.addresses import digest
from accounts.models import AuditLog
from tests.support.processes import eventually
from tests.system.deploy.nginx import Web
from tests.system.live.clients import answer, viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.server import Server

NONSENSE = {"Authorization": "Bearer nonsense"}


def recorded() -> dict[str, int]:
    """Reason → how many."""
    found: dict[str, int] = {}
    for line in AuditLog.objects.all():
        assert line.address == digest("127.0.0.1")
        assert line.request_id
        found[line.reason] = found.get(line.reason, 0) + line.count
    return found


def counted(server: Server) -> dict[str, float]:
    reasons = ("token", "origin", "no-credentials")
    return {reason: server.metric("scoreboard_auth_failures_total", reason=reason) for reason in reasons}


def test_viewers_that_are_refused_are_counted_by_reason_and_on_record(start: Start) -> None:
    private = start(LEADERBOARD_PUBLIC="false", LEADERBOARD_ORIGINS="https://ours.example")
    for protocols, origin in {("bearer", "nonsense"): None, (): "https://elsewhere.example"}.items():
        with viewer(private, protocols=protocols, origin=origin) as refused:
            assert refused.ending()[1] in (4501, 4503)
    assert answer(private, "", **NONSENSE)[0].status == 401
    assert answer(private, "", Origin="https://elsewhere.example")[0].status == 403
    assert answer(private, "")[0].status == 401
    assert counted(private) == {"token": 2, "origin": 2, "no-credentials": 1}
    eventually(lambda: recorded() == {"token": 2, "origin": 2, "no-credentials": 1}, "all are on record")


def test_a_public_board_lets_bad_credentials_watch_and_counts_them(start: Start) -> None:
    public = start()
    with viewer(public, protocols=("bearer", "nonsense")) as socket, watcher(public, **NONSENSE) as events:
        socket.until("leaderboard_update")
        events.until("leaderboard_update")
    assert counted(public) == {"token": 2, "origin": 0, "no-credentials": 0}
    public.end()
    assert recorded() == {"token": 2}


@pytest.mark.usefixtures("board")
def test_a_web_process_that_ends_writes_what_is_left(tmp_path: Path) -> None:
    web = Web(tmp_path / "web.log")
    try:
        with pytest.raises(urllib.error.HTTPError):
            web.get("/api/v1/score/me")
    finally:
        web.close()
    assert recorded() == {"no-credentials": 1}
