"""Fixtures of the kits."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.support.programs import needed

KIT = ROOT / "sdk" / "javascript"
USES = Path(__file__).with_name("uses")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the kit as its one package, and the programs that use it."""
    npm, folder = needed("npm", "npm"), tmp_path_factory.mktemp("kit")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    subprocess.run([npm, "pack", "--silent", "--pack-destination", folder, KIT], cwd=folder, check=True)
    [packed] = folder.glob("*.tgz")
    quiet = ("--offline", "--no-audit", "--no-fund", "--silent")
    subprocess.run([npm, "install", *quiet, packed], cwd=folder, check=True)
    for program in USES.glob("*.mjs"):
        shutil.copy(program, folder)
    return folder
