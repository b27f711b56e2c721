"""The TypeScript compiler: it reads the .d.ts, and the scripts themselves by their JSDoc types."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".local" / "node"
VERSION = "5.9.3"


def installed() -> Path | None:
    """The compiler, if `install` has brought it here."""
    compiler = FOLDER / f"typescript-{VERSION}" / "node_modules" / "typescript" / "lib" / "tsc.js"
    return compiler if compiler.exists() and shutil.which("node") else None


def install() -> None:
    """Raises CalledProcessError, for one when there is no network."""
    folder = FOLDER / f"typescript-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    npm = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([*npm, f"typescript@{VERSION}"], check=True, stdout=subprocess.DEVNULL)


def complaints(compiler: Path) -> str:
    """What the compiler has to say; nothing if all is well."""
    project = Path(__file__).with_name("tsconfig.json")
    done = subprocess.run(
        ["node", str(compiler), "--project", str(project)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
