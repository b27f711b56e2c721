"""`manage.py demo_players`: players who call the site over HTTP, and a report that can be believed."""

import http.client
import http.server
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as site
from django.core.management import CommandError, call_command
from django.db.models import Sum
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from actions.models import ActionType
from devsite import demo_key
from devsite.home import demo_key_file
from devsite.players import people
from devsite.players.player import Player
from devsite.players.session import Session
from devsite.players.tally import Tally
from scoreboard.models import ScoreHistory
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)

FAST = 1000  # actions per second asked for: paces are random, and every player should get to act
Reply = tuple[int, bytes] | None  # None: the connection is cut instead


@pytest.fixture
def home(tmp_path: Path, settings: Settings) -> Path:
    settings.SCOREBOARD_HOME = tmp_path / "home"
    return tmp_path / "home"


@pytest.fixture
def server(live_server: LiveServer, redis_of_its_own: None, unlimited: None, home: Path) -> LiveServer:
    """The site on a port of its own, without limits, and a home for the players' secret and their back end's key."""
    demo_key.ensure(home)
    return live_server


def play(url: str, **options: object) -> str:
    """Runs the command; what it printed."""
    printed = StringIO()
    defaults = {"players": 3, "rate": FAST, "seconds": 3, "repeat": 0}
    call_command("demo_players", url=url, stdout=printed, **{**defaults, **options})
    return printed.getvalue()


def accepted(report: str) -> tuple[int, int]:
    """Actions and points that the report says were accepted."""
    found = re.search(r"accepted +(\d+) actions .*, (\d+) points", report)
    assert found, report
    return int(found[1]), int(found[2])


def play_until(seen: threading.Event, url: str, home: Path, *options: str) -> tuple[int, str]:
    """Runs the command without an end, tells it to stop once `seen` is set; its exit code and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo_players", "--seconds=0", f"--url={url}", *options],
        cwd=site.BASE_DIR,
        env={**os.environ, "SCOREBOARD_HOME": str(home)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert seen.wait(PATIENCE)
        process.send_signal(signal.SIGTERM)
        report, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    return process.returncode, report.decode()


@contextmanager
def proxy(server: LiveServer, meddle: Callable[[str, int, bytes], Reply]) -> Iterator[str]:
    """The site behind a proxy that may change an answer, or lose it after the site has done its work."""
    upstream = urlsplit(server.url)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port)
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            reply = meddle(self.path, response.status, response.read())
            connection.close()
            if reply is None:
                self.close_connection = True
                return
            self.send_response_only(reply[0])
            for name, value in response.getheaders():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply[1])))
            self.end_headers()
            self.wfile.write(reply[1])

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def test_what_the_report_says_was_accepted_is_what_the_history_holds(server: LiveServer) -> None:
    actions, points = accepted(play(server.url, repeat=0.5))
    assert actions > 0
    assert ScoreHistory.objects.count() == actions
    assert ScoreHistory.objects.aggregate(points=Sum("delta"))["points"] == points
    assert set(User.objects.values_list("username", flat=True)) == {people.username(number) for number in range(3)}


def test_tokens_handed_in_twice_get_409_and_the_first_outcome(server: LiveServer) -> None:
    report = play(server.url, repeat=1)
    kept = re.search(r"repeats +(\d+) tokens .*, 0 got anything else", report)
    assert kept, report
    assert int(kept[1]) == accepted(report)[0]


@pytest.mark.long
def test_a_second_run_signs_the_same_players_in(server: LiveServer) -> None:
    play(server.url)
    assert "signed in 3 players" in play(server.url)
    assert User.objects.count() == 3


def test_a_new_database_under_an_old_password_is_signed_up_to(server: LiveServer, home: Path) -> None:
    (home / "demo_password").write_text("p-0123456789abcdef")
    assert "signed in 3 players" in play(server.url)


def test_the_people_of_the_demo_are_signed_in_and_keep_their_points(server: LiveServer) -> None:
    call_command("load_demo")
    count = User.objects.count()
    assert "signed in 3 players" in play(server.url)
    assert User.objects.count() == count


@pytest.mark.long
def test_a_name_of_somebody_else_is_refused_and_reported(server: LiveServer) -> None:
    User.objects.create_user(people.username(0), "somebody@example.org", "a password of their own")
    report = play(server.url)
    assert "signed in 2 players" in report
    assert "sign-in not-authenticated 1" in report


def test_limits_are_reported_as_refusals_and_obeyed(server: LiveServer, settings: Settings, home: Path) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "2/hour"}
    demo_key_file(home).unlink()
    refused: list[int] = []
    all_refused = threading.Event()

    def watch(path: str, status: int, body: bytes) -> Reply:
        if status == 429:
            refused.append(status)
            if b'"actions"' in body or b"(actions)" in body:
                all_refused.set()
        return status, body

    with proxy(server, watch) as url:
        _, report = play_until(all_refused, url, home, "--players=1", f"--rate={FAST}", "--repeat=0")
    # One player, who grants themselves two tokens; then what players may grant rests for the rest of the hour.
    assert accepted(report)[0] == 2
    assert f"mint rate-limited {len(refused)}" in report
    assert len(refused) <= 2, "one more may be the daily reward's second time"


def test_a_lost_answer_is_settled_by_the_409_of_a_repeat(server: LiveServer, home: Path) -> None:
    ActionType.objects.filter(slug="DAILY_LOGIN").delete()  # its second time is refused
    handed_in: list[int] = []
    settled = threading.Event()

    def lose_the_first_two(path: str, status: int, body: bytes) -> Reply:
        if not path.endswith("/score/update"):
            return status, body
        handed_in.append(status)
        if len(handed_in) > 2:
            settled.set()
            return status, body
        return None

    with proxy(server, lose_the_first_two) as url:
        _, report = play_until(settled, url, home, "--players=1", f"--rate={FAST}", "--repeat=0")
    assert handed_in[:3] == [200, 409, 409]
    assert "settled   1 accepted actions" in report
    assert "network errors 2" in report
    assert "refused   0" in report
    assert ScoreHistory.objects.count() == accepted(report)[0]


@pytest.mark.long
def test_a_server_that_takes_a_repeat_for_good_fails_the_run(server: LiveServer) -> None:
    def pay_twice(path: str, status: int, body: bytes) -> Reply:
        return (200 if status == 409 else status), body

    with proxy(server, pay_twice) as url, pytest.raises(CommandError, match="a repeat was not refused"):
        play(url, repeat=1)


@pytest.mark.long
def test_a_5xx_fails_the_run(server: LiveServer, home: Path) -> None:
    minted: list[int] = []
    broken = threading.Event()

    def break_mints(path: str, status: int, body: bytes) -> Reply:
        if not path.endswith("/action/token"):
            return status, body
        minted.append(status)
        if len(minted) == 2:  # so it has met the first one
            broken.set()
        return 500, b"oops"

    with proxy(server, break_mints) as url:
        code, report = play_until(broken, url, home, "--players=1", f"--rate={FAST}")
    assert code == 1
    assert re.search(r"5xx mint http-500 \d+", report)


@pytest.mark.long
def test_what_a_site_answers_while_it_starts_is_no_failure(server: LiveServer) -> None:
    asked: list[str] = []

    def start_slowly(path: str, status: int, body: bytes) -> Reply:
        if path.endswith("/action/types"):
            asked.append(path)
            if len(asked) < 3:
                return 503, b"not yet"
        return status, body

    with proxy(server, start_slowly) as url:
        assert "5xx 0" in play(url, seconds=2)


def test_nothing_accepted_fails_the_run(home: Path) -> None:
    printed = StringIO()
    with pytest.raises(CommandError, match="Nothing was accepted"):
        # Port 9 (discard) has no server here.
        call_command("demo_players", url="http://127.0.0.1:9", players=1, seconds=0.1, stdout=printed)
    assert "network errors 1" in printed.getvalue()


def test_a_signal_ends_an_endless_run_with_its_report_and_leaves_nobody_behind(server: LiveServer, home: Path) -> None:
    played = threading.Event()

    def watch(path: str, status: int, body: bytes) -> Reply:
        if path.endswith("/score/update"):
            played.set()
        return status, body

    with proxy(server, watch) as url:
        code, report = play_until(played, url, home, "--players=2", "--rate=10")
    assert code == 0
    assert accepted(report)[0] == ScoreHistory.objects.count() > 0


@pytest.mark.parametrize(
    "wrong",
    ["--players=0", "--rate=0", "--rate=nan", "--seconds=-1", "--repeat=2", "--url=ftp://x", "--url=http://x/path"],
)
def test_an_option_that_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(CommandError, match=wrong.partition("=")[0]):
        call_command("demo_players", wrong)


def test_the_players_know_nothing_of_django() -> None:
    program = "import sys, devsite.players.crowd; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=site.BASE_DIR, check=False).returncode == 0


def test_leaders_play_less_so_that_others_pass_them() -> None:
    session = Session("http://127.0.0.1:9", "Q", "q@demo.invalid", "", "", threading.Event(), Tally())
    paces = {}
    for rank in (1, 3, 4, None):
        player = Player(session, 1.0, 0.0, [], chance=random.Random(7), rank=rank)
        paces[rank] = player.new_pace()
    assert paces[1] == paces[3] < paces[4] == paces[None]
