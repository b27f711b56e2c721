"""Dockerfile and compose.yaml read as their engines would, as far as tests need it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.processes import ROOT


def instructions() -> Iterator[tuple[str, str]]:
    """(instruction, the rest), of the Dockerfile; lines that continue are one."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def last(word: str) -> str:
    return [rest for instruction, rest in instructions() if instruction == word][-1]


def command(word: str) -> list[str]:
    """The words of CMD, or of HEALTHCHECK … CMD."""
    words: list[str] = json.loads(last(word).rpartition("CMD")[2] or last(word))
    return words


def environment() -> dict[str, str]:
    """What the image's last ENV sets."""
    return dict(pair.split("=", 1) for pair in last("ENV").split())


def copied() -> list[tuple[str, str]]:
    """(file or folder of the tree, its place in /app), of the last stage."""
    found: list[tuple[str, str]] = []
    for word, rest in instructions():
        if word == "FROM":
            found = []
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, place = rest.split()
            found += [
                (source, f"{place.rstrip('/')}/{Path(source).name}" if len(sources) > 1 else place)
                for source in sources
            ]
    return found


def copy_to(app: Path) -> None:
    """As COPY does."""
    for source, place in copied():
        given, put = ROOT / source, app / place
        if given.is_dir():
            shutil.copytree(given, put, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            put.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(given, put)


def services() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return loaded
