"""docs/security.md names the test that proves each line; the test is there."""

import re
from pathlib import Path

import pytest

from tests.live.server import ROOT

DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/.*-]+)(?:::(\w+))?`")
ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)


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
    for row in ROW.findall(DOCUMENT):
        cells = [cell.strip() for cell in row.split("|")]
        if cells[-1] == "test":
            tested = True
        elif set(cells[-1]) <= {"-"}:
            continue
        elif len(cells) < 3:
            tested = False
        elif tested and len(cells) == 4:
            assert NAMED.search(cells[-1]), row
