"""deploy/prometheus and deploy/grafana beside a running site: scraped, shown, and told of what is broken for real.

One site and one Prometheus for all of it. Rules differ from the deployed ones only in that no alert waits.
"""

import json
import re
import subprocess
import sys
import time
import urllib.error
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from accounts.models import User
from api import redis_client
from leaderboard import boards, rebuild
from tests.support.people import back_end, bearer, site_key
from tests.support.processes import PATIENCE, ROOT, environment, eventually
from tests.support.prometheus import Prometheus, configure, prometheus, promtool, remember
from tests.support.redis_of_our_own import OwnRedis
from tests.support.unlimited import UNLIMITED
from tests.support.worker import Worker
from tests.system.deploy.nginx import post
from tests.system.live.clients import Socket, viewer
from tests.system.live.server import Server, free_port

DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/scoreboard.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
TOKEN = uuid.uuid4().hex + uuid.uuid4().hex
ROW = re.compile(r"^\| `(score\w+)(?:\{([\w,]+)\})?` \| (\w+) \| (.+) \|$", re.MULTILINE)
DOCUMENTED = {
    name: (kind, set(labels.split(",")) - {""}, said)
    for name, labels, kind, said in ROW.findall((ROOT / "docs/operations.md").read_text())
}


@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "--lint=all", "--lint-fatal", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(command: tuple[str, ...]) -> None:
    done = promtool(*command)
    assert done.returncode == 0, done.stdout + done.stderr


class Watched:
    """A site of one process, a worker without `beat`, and Prometheus. `environment`: for a command beside it."""

    def __init__(self, folder: Path, redis: OwnRedis, stack: ExitStack) -> None:
        counted = folder / "counted"
        counted.mkdir()
        changes = {"REDIS_URL": redis.url, "CELERY_BROKER_URL": "", "LOG_FORMAT": "json", **UNLIMITED}
        self.environment = environment(PROMETHEUS_MULTIPROC_DIR=str(counted), **changes)
        self.site = Server(
            folder / "site.log",
            PROMETHEUS_MULTIPROC_DIR=str(counted),
            METRICS_ALLOW="192.0.2.7",
            METRICS_TOKEN=TOKEN,
            **changes,
        )
        stack.callback(self.site.close)
        port = free_port()
        self.worker = Worker(folder / "worker.log", WORKER_METRICS_PORT=str(port), **changes)
        stack.callback(self.worker.kill)
        configure(folder, {"web": self.site.port, "live": self.site.port, "worker": port}, TOKEN)
        # The page of `web` and `live` is one here: one target too many would count everything twice.
        config = folder / "prometheus.yml"
        config.write_text(re.sub(r"  - job_name: live\n(    .*\n)+", "", config.read_text()))
        remember(folder, "scoreboard:increments:rate5m", 0.5)
        self.prometheus: Prometheus = stack.enter_context(prometheus(folder, free_port()))

    def act_until_firing(self, alert: str, act: Callable[[], object]) -> None:
        """Once for each scrape: an increase needs a sample before it."""
        deadline = time.monotonic() + PATIENCE
        while alert not in self.prometheus.firing():
            assert time.monotonic() < deadline, f"{alert} does not fire; {self.prometheus.problems()}"
            act()
            before = self.scraped()
            eventually(lambda before=before: self.scraped() > before, "another scrape")  # type: ignore[misc]

    def scraped(self) -> float:
        [sample] = self.prometheus.query('timestamp(up{job="web"})')
        return float(sample["value"][1])


@pytest.fixture
def watched(transactional_db: None, own_redis: OwnRedis, tmp_path: Path) -> Iterator[Watched]:
    board = boards.get("global")
    assert rebuild.rebuild(board)
    with ExitStack() as stack:
        yield Watched(tmp_path, own_redis, stack)


def award(site: Server, key: dict[str, str], player: User, count: int, action_type: str = "WIN_MATCH") -> None:
    entries = [{"id": uuid.uuid4().hex, "user_id": str(player.pk), "action_type": action_type} for _ in range(count)]
    post(site, "/api/v1/awards/batch", json.dumps({"awards": entries}).encode(), **key)


def click(site: Server, player: User, **changes: Any) -> None:
    asked = json.dumps({"action_type": "COMPLETE_TASK", "user_id": str(player.pk)}).encode()
    minted = json.loads(post(site, "/api/v1/action/token", asked, **back_end()))["data"]
    body = {name: minted[name] for name in ("action_id", "action_type", "action_token")}
    handed_in = json.dumps({**body, "timestamp": time.time(), **changes}).encode()
    post(site, "/api/v1/score/update", handed_in, **bearer(player))


def test_a_prometheus_scrapes_the_site_feeds_the_dashboard_and_fires_when_something_breaks(
    watched: Watched, own_redis: OwnRedis, alice: User, bob: User
) -> None:
    site, server = watched.site, watched.prometheus
    key = site_key()
    with viewer(site) as watching:
        assert isinstance(watching, Socket)
        watching.opening()
        click(site, alice)
        award(site, key, bob, 1)
        watching.say(type="ack", seq=watching.scores({"alice": 10, "bob": 50})["seq"])
        with pytest.raises(urllib.error.HTTPError, match="403"):
            click(site, alice, action_token="a.b.c")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            site.get("/metrics")  # not from the one address that METRICS_ALLOW lists, nor with the token
        with connect(site.websocket("?limit=1000")) as refused:
            assert json.loads(refused.recv(PATIENCE))["type"] == "error"
        eventually(lambda: server.query("up == 1")[1:], "both targets are scraped")
        assert server.problems() == []
        the_table_is_what_is_exposed(server)
        eventually(lambda: not without_series(server), "each query of the dashboard has a series")
        assert server.firing() <= {"ScoreboardProjectionLag"}, "on a busy machine all of this may take half a minute"

    watched.act_until_firing("ScoreboardFailures", lambda: award(site, key, bob, 200, "NO_SUCH_TYPE"))
    watched.act_until_firing("ScoreboardAbnormalIncrements", lambda: award(site, key, bob, 500))
    watched.act_until_firing("ScoreboardDrift", lambda: drift_and_reconcile(watched))
    eventually(lambda: "ScoreboardProjectionLag" in server.firing(), "nothing sweeps, for there is no beat")
    assert "ScoreboardRedisAway" not in server.firing()
    own_redis.kill()
    eventually(lambda: "ScoreboardRedisAway" in server.firing(), "Redis is away")
    assert "Traceback" not in site.log.read_text()


def the_table_is_what_is_exposed(server: Prometheus) -> None:
    """Names, types, labels and help of docs/operations.md are those that Prometheus got, and nothing is left out."""
    got = {}
    for target in server.ask("api/v1/targets/metadata"):
        name = target["metric"]
        if name.startswith("score"):
            got[name] = (target["type"], target["help"])
    assert {name: (kind, said) for name, (kind, _, said) in DOCUMENTED.items()} == got
    for name, (kind, labels, _) in DOCUMENTED.items():
        series = server.query(name if kind != "histogram" else f"{name}_count")
        for one in series:
            assert set(one["metric"]) - {"__name__", "job", "instance"} == labels, name


def without_series(server: Prometheus) -> list[str]:
    return [query for query in QUERIES if not server.query(query.replace("$__rate_interval", "30s"))]


def drift_and_reconcile(watched: Watched) -> None:
    """Another program changes a score in Redis, and an operator reconciles."""
    redis: Any = redis_client.connection()
    rank = boards.keys(boards.get("global")).rank
    [member] = redis.zrange(rank, 0, 0)
    redis.zadd(rank, {member: 999_999_999})
    command = [sys.executable, "manage.py", "reconcile_leaderboard"]
    done = subprocess.run(
        command, cwd=ROOT, env=watched.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert redis.zscore(rank, member) != 999_999_999


def test_the_dashboard_is_one_that_grafana_loads() -> None:
    """As far as that can be said without Grafana: ids are unique, no panel lies on another, each names its source."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert len(QUERIES) > 40
    assert DASHBOARD["templating"]["list"][0]["name"] == "datasource"
