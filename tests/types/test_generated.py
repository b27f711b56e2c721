"""docs/openapi.yaml is good enough to generate a client from: one is generated here, and what uses it is compiled.

There is a test here once `make check` has installed the generator and the compiler.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.types import compiler

DOCUMENT = compiler.ROOT / "docs" / "openapi.yaml"
CONSUMER = compiler.HERE / "generated_consumer.ts"
OPTIONS = {
    "strict": True,
    "noEmit": True,
    "noUncheckedIndexedAccess": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}


def operations() -> dict[str, dict[str, Any]]:
    """By method and path."""
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    return {f"{method} {path}": operation for path, item in paths.items() for method, operation in item.items()}


def test_each_call_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_each_success_and_each_failure_has_a_schema() -> None:
    without = [
        f"{call} {status}"
        for call, operation in operations().items()
        for status, answer in operation["responses"].items()
        if "$ref" not in answer and "No response body" not in answer["description"]
        if "text/csv" not in (answer.get("content") or {})  # a file
        for content in (answer.get("content") or {"": {}}).values()
        if "$ref" not in content.get("schema", {})
    ]
    assert without == []


if (found := compiler.installed()) is not None:

    @pytest.mark.parametrize("tsc", [found], ids=["tsc"])
    def test_what_uses_a_generated_client_compiles(tsc: Path, tmp_path: Path) -> None:
        generator = compiler.FOLDER / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
        subprocess.run(["node", generator, DOCUMENT, "--output", tmp_path / "schema.d.ts"], check=True)
        (tmp_path / "node_modules").symlink_to(compiler.FOLDER / "node_modules")
        (tmp_path / CONSUMER.name).write_text(CONSUMER.read_text())
        project = tmp_path / "tsconfig.json"
        project.write_text(json.dumps({"compilerOptions": OPTIONS, "files": [CONSUMER.name, "schema.d.ts"]}))
        assert compiler.compiled(tsc, project) == ""
