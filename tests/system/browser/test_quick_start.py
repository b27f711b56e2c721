"""docs/quick-start.md: its site as it is printed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.processes import ROOT
from tests.system.browser.board import score, status
from tests.system.browser.conftest import Visitors
from tests.system.browser.example import Example, a_key
from tests.system.browser.site import Site
from tests.system.live.server import free_port

PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def my_site(site: Site, tmp_path: Path) -> Iterator[Example]:
    [program] = PROGRAM.findall((ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8"))
    (tmp_path / "site.py").write_text(program, encoding="utf-8")
    port = free_port()
    example = Example(tmp_path, port, ["site.py"], KEY=a_key(), URL=site.url, PORT=str(port))
    yield example
    example.stop()


def test_a_click_on_the_sites_own_page_is_ten_points_there(visitors: Visitors, my_site: Example) -> None:
    page = visitors.page()
    page.goto(my_site.url)
    expect(status(page)).to_have_text("Live")
    for points in ("10", "20"):
        page.get_by_role("button", name="I did it").click()
        expect(score(page, "Alex")).to_have_text(points)
    expect(page.get_by_role("status")).to_contain_text("You are at rank 1.")
