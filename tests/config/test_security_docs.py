"""docs/security.md names the test that proves each line; the test is there."""

import re
from pathlib import Path

import pytest

from tests.support.processes import ROOT

DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/.*-]+)(?:::(\w+))?`")
ROW = re.compile(r"\|(.+)\|")


def definitions(path: Path) -> set[str]:
    return set(re.findall(r"^\s*def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_there_is_a_catalogue() -> None:
    assert len(NAMED.findall(DOCUMENT)) > 80


@pytest.mark.parametrize(("path", "function"), sorted(set(NAMED.findall(DOCUMENT))))
def test_what_the_catalogue_names_exists(path: str, function: str) -> None:
    found = sorted(ROOT.glob(path))
    assert found, path
    if function:
        assert function in definitions(found[0]), f"{path} has no {function}"


def test_every_attack_names_its_test() -> None:
    """Rows of the tables whose last column is headed "test"."""
    tested = False
    for line in DOCUMENT.splitlines():
        row = ROW.fullmatch(line)
        last = row[1].split("|")[-1].strip() if row else ""
        if last == "test":
            tested = True
        elif not row:
            tested = False
        elif tested and set(last) != {"-"}:
            assert NAMED.search(last), line
