"""The element's .d.ts and its script agree, and developers get the errors they should.

There is a test here once `make check` has installed the compiler: the suite itself needs neither npm nor network.
"""

import gzip
from pathlib import Path

import pytest

from tests.types import compiler

ELEMENT = compiler.ROOT / "static" / "leaderboard" / "live-leaderboard.js"
MOST = 13 * 1024  # bytes of the element, gzipped


def test_the_element_is_small() -> None:
    assert len(gzip.compress(ELEMENT.read_bytes())) < MOST


def test_the_element_needs_nothing_else() -> None:
    assert "\nimport " not in ELEMENT.read_text()


if (found := compiler.installed()) is not None:

    @pytest.mark.parametrize("tsc", [found], ids=["tsc"])
    def test_the_types_agree(tsc: Path) -> None:
        assert compiler.complaints(tsc) == ""
