"""What axe finds on a page, in which sizes of window it looks, and photographs for people."""

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.system.browser.conftest import DESKTOP, PHONE

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
SERIOUS = ("serious", "critical")
SIZES = {"phone": PHONE, "desktop": DESKTOP}
SOME = [("phone", True)]


def findings(page: Page) -> list[str]:
    """axe's serious and critical findings, each with the place it was found at."""
    page.evaluate(AXE)  # not by a script element: the site's policy would refuse it
    result: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
        if violation["impact"] in SERIOUS
    ]


def photograph(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
