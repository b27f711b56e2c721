"""`python -m tests.types`: check the scripts' types, with a compiler that npm brings the first time.

A part of `make check`. Where there is no npm it says so and fails nothing: Python is all a developer needs here.
`--write` writes the kit's .d.ts files.
"""

import shutil
import sys

from tests.types import compiler


def main() -> int:
    if compiler.installed() is None:
        if shutil.which("npm") is None:
            sys.stdout.write("scripts: types not checked, there is no npm here\n")
            return 0
        compiler.install()
    found = compiler.installed()
    if found is None:
        raise AssertionError("npm installed no compiler")
    if sys.argv[1:] == ["--write"]:
        sys.stdout.write(compiler.declare(found, compiler.DECLARED))
    complaints = compiler.complaints(found)
    sys.stdout.write(complaints or "scripts: types are well\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
