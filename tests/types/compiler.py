"""The TypeScript compiler and a generator of clients, of the versions in package-lock.json; what they are given."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
FOLDER = ROOT / ".local" / "node" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
KIT = ROOT / "sdk" / "javascript"
DECLARED = KIT / "types"


def installed() -> Path | None:
    """The compiler, if `install` has brought it here."""
    compiler = FOLDER / "node_modules" / "typescript" / "lib" / "tsc.js"
    return compiler if compiler.exists() and shutil.which("node") else None


def install() -> None:
    """Raises CalledProcessError, for one when there is no network."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, FOLDER)
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=FOLDER, check=True, stdout=subprocess.DEVNULL
    )


def complaints(compiler: Path) -> str:
    """What the compiler has to say; nothing if all is well."""
    return compiled(compiler, HERE / "tsconfig.json") + undeclared(compiler)


def compiled(compiler: Path, project: Path, *options: str) -> str:
    done = subprocess.run(
        ["node", str(compiler), "--project", str(project), *options], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def declare(compiler: Path, folder: Path) -> str:
    """Writes the kit's .d.ts files as its scripts have them; returns what is wrong with these."""
    types = FOLDER / "node_modules" / "@types"
    return compiled(compiler, KIT / "tsconfig.json", "--outDir", str(folder), "--typeRoots", str(types))


def undeclared(compiler: Path) -> str:
    """What is wrong with the kit's scripts, or that its .d.ts files are not theirs."""
    with tempfile.TemporaryDirectory() as folder:
        complaints = declare(compiler, Path(folder))
        made = {path.name: path.read_text() for path in Path(folder).iterdir()}
    if not complaints and made != {path.name: path.read_text() for path in DECLARED.iterdir()}:
        return "sdk/javascript/types is not what the scripts say: python -m tests.types --write\n"
    return complaints
