"""What README.md and docs/ name exists, and what others build upon (metrics, problems, messages) is named there.

And whatever is named is there for something: a metric moves, a problem is raised, a message is sent. Tests are where
CONTRIBUTING.md has them.
"""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management import get_commands
from prometheus_client import REGISTRY

from accounts import roles
from api.problems import KINDS
from events.models import Endpoint
from leaderboard.live import refusals
from tests.support.database import CATALOGUE
from tests.support.processes import ROOT

PACKAGES = (
    "accounts",
    "actions",
    "api",
    "config",
    "devsite",
    "events",
    "integrity",
    "leaderboard",
    "overview",
    "scoreboard",
)
FOLDERS = (*PACKAGES, "benchmarks", "deploy", "docs", "examples", "static", "templates", "tests")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in DOCUMENTS}
ALL = "\n".join(TEXTS.values())
SOURCES = {path: path.read_text(encoding="utf-8") for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))}
SQL = "\n".join(path.read_text() for name in PACKAGES for path in sorted((ROOT / name).rglob("*.sql")))

PATH = re.compile(rf"(?<![\w/.:-])((?:{'|'.join(FOLDERS)})/[\w./*-]*\w)")
FILE = re.compile(r"`([\w/-]+\.(?:py|sql|lua|md|conf|yaml|toml|svg|js|ts|css))[`:]")
TEST = re.compile(r"(tests/[\w/.-]+\.py)::(\w+)")
UPPER = re.compile(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`")
METRIC = re.compile(r"\b(score(?:board)?_\w+_(?:total|ms|seconds|size|connections))\b(?:\{(\w+))?")
FAMILY = re.compile(r'GaugeMetricFamily\(\s*"(score\w+)"')
TYPE = re.compile(r'^\{"type": "(\w+)"', re.MULTILINE)


def code(besides: str = "") -> str:
    """The product's Python, without files of this name."""
    return "\n".join(text for path, text in SOURCES.items() if path.name != besides and "migrations" not in path.parts)


@pytest.mark.parametrize("name", TEXTS)
def test_the_paths_of_a_document_exist(name: str) -> None:
    missing = [path for path in PATH.findall(TEXTS[name]) if not list(ROOT.glob(path))]
    missing += [path for path in FILE.findall(TEXTS[name]) if not anywhere(path)]
    assert missing == []


def test_the_documents_and_tests_that_comments_name_exist() -> None:
    named = {path for text in SOURCES.values() for path in PATH.findall(text) if path.startswith(("docs/", "tests/"))}
    assert len(named) > 3
    assert {path for path in named if not list(ROOT.glob(path))} == set()


def anywhere(path: str) -> bool:
    return any(list((ROOT / folder).rglob(path)) for folder in FOLDERS) or (ROOT / path).exists()


def test_the_tests_of_a_document_exist() -> None:
    named = TEST.findall(ALL)
    assert len(named) > 80
    assert [f"{path}::{test}" for path, test in named if f"def {test}(" not in (ROOT / path).read_text()] == []


def test_no_test_module_is_imported_from() -> None:
    """CONTRIBUTING.md: what tests share is not in one of them."""
    modules = sorted((ROOT / "tests").rglob("*.py"))
    assert len(modules) > 300
    assert [
        f"{path.relative_to(ROOT)}: {name}" for path in modules for name in imported(path) if ".test_" in name
    ] == []


def imported(path: Path) -> Iterator[str]:
    """What a module imports, by its whole name, each with a dot before it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (f".{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f".{node.module or ''}.{alias.name}" for alias in node.names)


def test_the_commands_of_a_document_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:`|^|\s)make ([a-z][a-z-]*)(?=[`\s=]| [A-Z]+=)", commands(ALL), re.MULTILINE)) <= {
        *targets
    }
    ours = {name: app for name, app in get_commands().items() if app in PACKAGES and app != "devsite"}
    assert set(re.findall(r"manage\.py ([a-z_]+)", ALL)) <= set(get_commands())
    assert [name for name in ours if name not in commands(ALL)] == []


def commands(text: str) -> str:
    """Only what is written as code: "make" is a word, too."""
    return "\n".join(
        re.findall(r"`([^`\n]+)`", text) + re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    )


def test_the_settings_of_a_document_exist() -> None:
    listed = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    others = "".join(str(entry) for entry in CATALOGUE)
    others += (ROOT / "Makefile").read_text() + (ROOT / "compose.yaml").read_text()
    unknown = {name for name in UPPER.findall(ALL) if name not in listed and not hasattr(settings, name)}
    assert {name for name in unknown if name not in others} == set()


# --- metrics


def metrics() -> dict[str, tuple[str, ...]]:
    """Ours by name, with their labels."""
    for path in SOURCES:
        if path.name == "metrics.py":
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found = {}
    for collector in set(REGISTRY._names_to_collectors.values()):
        name, labels = getattr(collector, "_name", ""), getattr(collector, "_labelnames", ())
        if name.startswith("score"):
            found[f"{name}_total" if getattr(collector, "_type", "") == "counter" else name] = tuple(labels)
    return found


def looked_up() -> dict[str, tuple[str, ...]]:
    """Those that are looked up at each scrape. Their labels: tests/system/deploy/test_prometheus.py asks a site."""
    return dict.fromkeys(FAMILY.findall(code()), ("part", "board", "sink"))


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    ours = metrics() | looked_up()
    assert len(ours) > 30
    named = {name for name, _ in METRIC.findall(ALL)} | set(re.findall(r"`(scoreboard_live_\w+)`", ALL))
    assert {name for name in named if name not in ours} == set()
    assert {name for name in ours if name not in TEXTS["operations.md"]} == set()
    assert {(name, label) for name, label in METRIC.findall(ALL) if label and label not in ours[name]} == set()


def test_every_metric_is_moved_by_something() -> None:
    declared = {
        name
        for path, text in SOURCES.items()
        if path.name == "metrics.py"
        for name in re.findall(r"^([A-Z_]+) = (?:Counter|Gauge|Histogram)\(", text, re.MULTILINE)
    }
    assert len(declared) == len(metrics())
    moved = set(re.findall(r"\b([A-Z_]+)(?:\.labels\([^\n]*\))?\.(?:inc|dec|set|observe)\(", code("metrics.py")))
    moved |= set(re.findall(r"\bTimer\(([A-Z_]+),", code()))
    assert declared - moved == set()


# --- what clients build upon


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_problem_is_documented_and_raised(kind: str) -> None:
    assert f"`{kind}`" in (ROOT / "docs" / "openapi.yaml").read_text()
    assert len(re.findall(rf'"{kind}"(?!: \()', code())) + len(re.findall(rf"'{kind}'", SQL)) > 0


def test_the_schema_and_the_live_protocol_speak_of_no_other_problem() -> None:
    document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
    described = [document["info"], *document["components"]["responses"].values()]
    named = {kind for one in described for kind in re.findall(r"`([a-z-]+)`: ", one["description"])}
    assert named == set(KINDS)


def test_every_message_of_the_live_board_is_documented_and_sent() -> None:
    server, client = TEXTS["live-protocol.md"].split("## From the client")
    source = (ROOT / "leaderboard/live/messages.py").read_text()
    functions = [text for text in source.split("\ndef ")[1:] if ") -> Packet:" in text]
    made = {text.partition("(")[0]: re.findall(r'"type": "(\w+)"', text)[0] for text in functions}
    assert sorted(made.values()) == sorted(set(TYPE.findall(server)))
    assert set(re.findall(r"^\| `(\w+)` \|", server, re.MULTILINE)) == set(made.values())
    called = set(re.findall(r"\bmessages\.(\w+)\(", code())) | set(re.findall(r"= (\w+)\(self", source))
    assert set(made) - called == set()
    heard = re.findall(r'case "(\w+)"', (ROOT / "leaderboard/live/consumers.py").read_text())
    assert set(heard) == set(TYPE.findall(client))


def test_every_close_code_is_documented_and_used() -> None:
    codes = {name: code for name, code in vars(refusals).items() if name.isupper() and type(code) is int}
    codes = {name: number for name, number in codes.items() if not name.startswith("MAX_")}
    documented = re.findall(r"^\| (4\d\d\d) \|", TEXTS["live-protocol.md"], re.MULTILINE)
    assert sorted(map(int, documented)) == sorted(codes.values())
    assert {name for name in codes if len(re.findall(rf"\b{name}\b", code())) < 2} == set()


# --- rights


@pytest.mark.django_db
def test_every_permission_exists_and_every_one_of_ours_is_asked_for() -> None:
    granted = {name for names in roles.PERMISSIONS.values() for name in names}
    exist = {f"{app}.{name}" for app, name in Permission.objects.values_list("content_type__app_label", "codename")}
    assert granted - exist == set()
    ours = {
        name
        for model in apps.get_models()
        for name, _ in model._meta.permissions
        if model.__module__.split(".")[0] in PACKAGES
    }
    assert len(ours) >= 6
    asked = "\n".join(
        text
        for path, text in SOURCES.items()
        if path.name not in ("models.py", "roles.py") and "migrations" not in path.parts
    )
    assert {name for name in ours if f".{name}" not in asked} == set()
    named = {
        name
        for name in re.findall(r"`((?:scoreboard|accounts|integrity|actions)\.\w+)`", ALL)
        if name.split(".")[1] not in ("py",)
    }
    assert {
        name for name in named if name not in exist and not Path(ROOT, *name.split(".")).with_suffix(".py").exists()
    } - {"config.server", *Endpoint.Type.values} == set()
