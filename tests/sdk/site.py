"""The whole site on one port, and what a site developer needs to use it: a key, and a player's token."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accounts.models import User
from tests.support.people import access_token, player, site_key
from tests.support.processes import PATIENCE
from tests.support.programs import needed
from tests.support.unlimited import UNLIMITED
from tests.system.live.conftest import assert_no_defect
from tests.system.live.server import UvicornServer

SCOPES = ("award", "players", "viewers")


@contextmanager
def running_site(folder: Path) -> Iterator[UvicornServer]:
    """A database must be there, and a board."""
    site = UvicornServer(folder / "site.log", REDIS_TIMEOUT="20", **UNLIMITED)
    try:
        yield site
    finally:
        site.close()
        assert_no_defect(site)


def key(*scopes: str, limit: str = "off") -> str:
    return site_key(*(scopes or SCOPES), limit=limit)["Authorization"].removeprefix("Bearer ")


def signed_in() -> tuple[User, str]:
    """A player of the scoreboard's own, and their token."""
    someone = player()
    return someone, access_token(someone)


def told(site: UvicornServer, **more: str) -> dict[str, str]:
    """The environment of a program that uses the site; of this process's own it gets what finds programs and files."""
    own = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**own, "SITE": json.dumps({"url": site.http(""), "key": key(), **more})}


def run_node(folder: Path, program: str, *arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [needed("node", "nodejs"), "--throw-deprecation", "--unhandled-rejections=strict", program, *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=4 * PATIENCE, check=False
    )
