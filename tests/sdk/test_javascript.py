"""The JavaScript kit as a site developer has it: packed, installed into a fresh folder, used on the running site."""

import json
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from actions import queue
from actions.models import QueuedWork
from leaderboard.boards import Board
from tests.sdk.conftest import KIT
from tests.sdk.site import run_node, running_site, signed_in, told
from tests.support.processes import ROOT
from tests.support.programs import needed


def test_it_does_what_its_users_do(board: Board, installed: Path, tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        _, token = signed_in()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(
                run_node, installed, "javascript_kit.mjs", "awards.ndjson", env=told(site, token=token)
            )
            while not running.done():
                for work in QueuedWork.objects.filter(state="queued"):
                    queue.process(work.pk)
                wait([running], 0.1)
            done = running.result()
    assert (done.returncode, done.stdout, done.stderr) == (0, "all is well\n", "")


def test_a_file_outlives_its_process_and_has_one_at_a_time(installed: Path) -> None:
    node, buffer = needed("node", "nodejs"), "killed.ndjson"
    with subprocess.Popen(
        [node, "disk.mjs", buffer, "b", "a"], cwd=installed, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert [holder.stdout.readline() for _ in range(2)] == ["\n", "accepted\n"]
        assert "another process has this buffer" in run_node(installed, "disk.mjs", buffer, env={}).stderr
        holder.kill()
    with (installed / buffer).open("a") as torn:
        torn.write('{"id": "half of an aw')
    assert run_node(installed, "disk.mjs", buffer, env={}).stdout == "b,a\n"
    assert run_node(installed, "disk.mjs", buffer, env={}).stdout == "b,a\n"
    (installed / buffer).write_text("no award\n")
    assert "line 1: expected an award" in run_node(installed, "disk.mjs", buffer, env={}).stderr


def test_it_brings_types_and_needs_nothing(installed: Path) -> None:
    package = installed / "node_modules" / "live-scoreboard-kit"
    described = json.loads((package / "package.json").read_text())
    for entry in described["exports"].values():
        assert (package / entry["types"]).exists()
        assert (package / entry["default"]).exists()
    assert not {"dependencies", "peerDependencies"} & described.keys()


def test_it_has_the_version_of_the_scoreboard() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert json.loads((KIT / "package.json").read_text())["version"] == version
