"""The processes of production."""

from tests.support.processes import ROOT


def procfile() -> dict[str, str]:
    """Shell commands by name."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command for name, _, command in (line.partition(": ") for line in lines)}
