"""`make bench`: REST as it is deployed, without group commit, and as `make run` serves it, on servers of its own.

Figures drift with the machine; the ratios are what counts.
"""

import os
import subprocess
import sys


def main() -> int:
    """Runs itself again under embedded servers unless DATABASE_URL and REDIS_URL point at real ones."""
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        command = [sys.executable, "-m", "devsite.servers", "exec", "--", sys.executable, "-m", "benchmarks"]
        return subprocess.call(command)
    environment = {**os.environ, "SECRET_KEY": os.environ.get("SECRET_KEY") or "benchmark-" + "0123456789abcdef" * 3}
    steps: list[tuple[list[str], dict[str, str]]] = [
        (["manage.py", "migrate", "--verbosity", "0"], {}),
        (["-m", "benchmarks.rest"], {}),
        (["-m", "benchmarks.rest"], {"ACTION_GROUP_COMMIT": "0"}),
        (["-m", "benchmarks.rest", "--server", "site"], {}),
    ]
    return max(subprocess.call([sys.executable, *step], env={**environment, **more}) for step, more in steps)


if __name__ == "__main__":
    sys.exit(main())
