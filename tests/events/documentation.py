"""The programs that docs/events.md gives."""

import re

from tests.support.processes import ROOT

DOCUMENT = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def documented(words: str) -> str:
    """The block of Python in docs/events.md that has these words."""
    [block] = [one for one in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if words in one]
    return str(block)
