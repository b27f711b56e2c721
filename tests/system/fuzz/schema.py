"""One run of schemathesis, in a process of its own, against the committed OpenAPI document."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT
from tests.system.fuzz.callers import Caller

DOCUMENT = ROOT / "docs" / "openapi.yaml"
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 2  # of each call, in the short run
OF_A_KIND = ("change_board",)  # takes what `make_board` takes: left out of the short run


@dataclass(frozen=True)
class Run:
    """What came of it. `failures` are sentences; `output` is all that schemathesis said."""

    cases: int
    operations: int
    failures: list[str]
    output: str


def fuzz(url: str, caller: Caller, site: str, folder: Path, *, seconds: float = 0) -> Run:
    """Calls every operation that concerns `caller`, alone and in sequences, with what the schema allows and what not.

    For `seconds`; without them a few cases of each, the same ones every time.
    """
    report = folder / f"{caller.name.replace(' ', '-')}.json"
    environment = {**os.environ, "FUZZ_SITE": site, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*program(url, report), *pace(seconds), *about(caller)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds + 1200,
        check=False,
    )
    output = done.stdout + done.stderr
    if not report.exists():
        raise AssertionError(output)
    said: dict[str, Any] = json.loads(report.read_text())
    failures = [f"{one['title']}: {', '.join(one['operations'])}" for one in said["failures"]]
    failures += [json.dumps(error) for error in said["errors"]]
    return Run(said["test_cases"]["generated"], said["operations"]["tested"], failures, output)


def program(url: str, report: Path) -> list[str]:
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    command = [schemathesis, "--no-color", "--config-file", str(CONFIGURATION), "run", str(DOCUMENT), "--url", url]
    command += ["--checks", "all", "--continue-on-failure", "--no-shrink"]
    return [*command, "--report", "json", "--report-json-path", str(report)]


def pace(seconds: float) -> list[str]:
    if seconds:
        return ["--max-time", str(max(1, round(seconds))), "--max-examples", "1000", "--generation-database", "none"]
    others = [word for name in OF_A_KIND for word in ("--exclude-operation-id", name)]
    return ["--max-examples", str(EXAMPLES), "--generation-deterministic", *others]


def about(caller: Caller) -> list[str]:
    """Its credentials, and which calls. Only a caller without credentials tries made-up ones: beside good ones the
    site would be blamed for letting the good ones in."""
    tags = [word for tag in caller.tags for word in ("--include-tag", tag)]
    headers = [word for name, value in caller.headers.items() for word in ("--header", f"{name}: {value}")]
    return [*tags, *headers, "--generation-with-security-parameters", "false" if caller.headers else "true"]
