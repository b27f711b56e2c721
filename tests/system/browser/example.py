"""A site with users of its own, as README and docs show it, beside the real scoreboard."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from accounts import api_keys
from tests.support.processes import PATIENCE, eventually


class Example:
    """Listens on `port`; `words` are its command."""

    def __init__(self, folder: Path, port: int, words: Sequence[str], **environment: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
        )
        eventually(self.serves, "the example serves")

    def serves(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=PATIENCE) as answer:  # noqa: S310 (our own URL)
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def a_key() -> str:
    return api_keys.issue("an example", ["award", "viewers"])[1]
