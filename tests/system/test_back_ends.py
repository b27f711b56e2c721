"""docs/back-ends.md: each program runs as it is printed, awards once, and tells of a refusal."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts import api_keys
from accounts.models import User
from scoreboard.models import ScoreHistory
from tests.support.processes import PATIENCE, ROOT
from tests.support.programs import needed
from tests.support.unlimited import UNLIMITED
from tests.system.deploy.nginx import Web

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = dict(BLOCK.findall((ROOT / "docs" / "back-ends.md").read_text(encoding="utf-8")))
# Language: (program, its package, file, further words of the command).
LANGUAGES = {
    "curl": ("bash", "bash", "award.sh", []),
    "python": ("python3", "python3", "award.py", []),
    "javascript": ("node", "nodejs", "award.mjs", []),
    "php": ("php", "php-cli", "award.php", []),
    "ruby": ("ruby", "ruby", "award.rb", []),
    "go": ("go", "golang-go", "award.go", ["run"]),
}

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    web = Web(tmp_path_factory.mktemp("back-ends") / "web.log", **UNLIMITED)
    yield web
    web.close()


def test_every_program_of_the_document_is_run() -> None:
    assert set(PROGRAMS) == {*LANGUAGES, "sh"}


@pytest.mark.parametrize(
    "language",
    [
        "curl",
        "python",
        *(pytest.param(language, marks=pytest.mark.long) for language in ("javascript", "php", "ruby", "go")),
    ],
)
def test_the_program_awards_once_and_says_when_it_is_refused(language: str, web: Web, tmp_path: Path) -> None:
    program, package, name, words = LANGUAGES[language]
    command = [needed(program, package), *words, name]
    (tmp_path / name).write_text(PROGRAMS[language], encoding="utf-8")

    def run(key: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={
                **os.environ,
                "SCOREBOARD_URL": f"http://127.0.0.1:{web.port}",
                "SCOREBOARD_KEY": key,
                "GOCACHE": str(tmp_path / "cache"),
            },
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )

    key = api_keys.issue("back end", ["award"])[1]
    for told in (run(key), run(key)):
        assert told.returncode == 0, told.stderr
        assert "10" in told.stdout
    alex = User.objects.get(provider="site", external_id="42")
    assert alex.shown_name == "Alex"
    assert list(ScoreHistory.objects.values_list("user_id", "delta")) == [(alex.pk, 10)]

    refused = run("sb_nobody")
    assert refused.returncode != 0
    assert "key" in refused.stdout + refused.stderr
    assert ScoreHistory.objects.count() == 1
