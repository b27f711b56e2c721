"""A Prometheus that runs on deploy/prometheus, with the test's targets and in seconds instead of minutes."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.processes import PATIENCE, ROOT, eventually, running
from tests.support.programs import needed

DEPLOYED = ROOT / "deploy" / "prometheus"
DAY = 86_400


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = needed("promtool", "prometheus")
    return subprocess.run(
        [program, *arguments], cwd=DEPLOYED, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def configure(folder: Path, targets: Mapping[str, int], token: str) -> None:
    """The deployed files with these ports by job, a scrape a second, and no alert that waits; else as they are.

    The token opens all targets: the lines for it, which are comments, are taken in.
    """
    text = (DEPLOYED / "prometheus.yml").read_text().replace("15s", "1s")
    text = re.sub(r"# (authorization:)", r"\1", text)
    text = re.sub(r"# (  credentials_file:)", r"\1", text)
    for job, port in targets.items():
        text, times = re.subn(rf'"{job}:\d+"', f'"127.0.0.1:{port}"', text)
        assert times == 1, job
    (folder / "prometheus.yml").write_text(text)
    (folder / "metrics_token").write_text(token)
    rules = re.sub(r"^( +for:) \w+$", r"\1 1s", (DEPLOYED / "rules.yml").read_text(), flags=re.MULTILINE)
    (folder / "rules.yml").write_text(rules)


def remember(folder: Path, series: str, value: float) -> None:
    """As if this had been so, from a day ago until a quarter of an hour ago."""
    now = int(time.time())
    lines = [f"{series} {value} {at}" for at in range(now - DAY, now - 900, 60)]
    name = series.partition("{")[0]
    (folder / "past").write_text("\n".join([f"# TYPE {name} gauge", *lines, "# EOF", ""]))
    done = promtool("tsdb", "create-blocks-from", "openmetrics", str(folder / "past"), str(folder / "data"))
    assert done.returncode == 0, done.stderr


class Prometheus:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return json.loads(answer.read())["data"]

    def ready(self) -> bool:
        try:
            return bool(self.ask("api/v1/status/runtimeinfo"))
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that this expression has now."""
        found: list[dict[str, Any]] = self.ask("api/v1/query", query=expression)["result"]
        return found

    def firing(self) -> set[str]:
        alerts = self.ask("api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def problems(self) -> list[str]:
        """What went wrong with a scrape or a rule."""
        targets = [target["lastError"] for target in self.ask("api/v1/targets")["activeTargets"]]
        rules = [rule.get("lastError", "") for group in self.ask("api/v1/rules")["groups"] for rule in group["rules"]]
        return [said for said in (*targets, *rules) if said]


@contextmanager
def prometheus(folder: Path, port: int) -> Iterator[Prometheus]:
    """In a folder that `configure` has prepared."""
    command = [
        needed("prometheus", "prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with running(command, {}, folder / "prometheus.log"):
        server = Prometheus(port)
        eventually(server.ready, "Prometheus answers")
        yield server
