"""`python -m tests.mutations`: breaks one promise of the site at a time and demands that its tests notice.

Mutation testing with chosen mutations: each entry of `mutations.toml` names a promise of the documentation, an edit of
the product's code that breaks it, and the tests that have to fail. It is for a person to run, not part of `make test`.

    name    what is broken, in a sentence
    breaks  the promise, as the documentation gives it
    file    where; `old` occurs there exactly once and becomes `new`
    also    further edits of the same mutation, [file, old, new] each
    tests   files or node ids, the narrowest that notice

First all of these tests run on the code as it is (the control), then each mutation alone, in a copy of the working tree
and on servers of its own. A mutation is caught when a test fails by what it observes: an import that breaks, or a name
that does not exist, is no proof of anything.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutations.toml")
LONGEST = 3600  # seconds of one run of pytest
PATIENCE = "30"  # seconds; most of what a mutation breaks never happens, and the tests passed on this machine
# Failures that begin so say that the mutation is no program any more, not that a promise is broken.
WRECKED = re.compile(
    r"collection failure|failed on setup with|failed on teardown with \"pytest\.Pytest|"
    r"(\w+\.)*(ImportError|ModuleNotFoundError|SyntaxError|IndentationError|NameError|AttributeError|TypeError)\b"
)


class Edit(NamedTuple):
    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    breaks: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


class Failure(NamedTuple):
    test: str
    reason: str  # the first line of it


@dataclass(frozen=True, slots=True)
class Run:
    """What pytest made of some tests. `failures`: None if it did not come to its end."""

    failures: list[Failure] | None
    seconds: float
    output: str

    @property
    def proof(self) -> Failure | None:
        return next((failure for failure in self.failures or () if not WRECKED.match(failure.reason)), None)


def load() -> list[Mutation]:
    """Raises KeyError, TypeError or ValueError for an entry of another form."""
    return [parse(**entry) for entry in tomllib.loads(LIST.read_text())["mutation"]]


def parse(
    name: str, breaks: str, file: str, old: str, new: str, tests: list[str], also: Sequence[Sequence[str]] = ()
) -> Mutation:
    edits = [Edit(file, old, new), *(Edit(*further) for further in also)]
    return Mutation(name, breaks, tuple(edits), tuple(tests))


def misfits(mutation: Mutation) -> Iterator[str]:
    """Why the mutation cannot be tried on the tree as it is."""
    for edit in mutation.edits:
        path = ROOT / edit.file
        found = path.read_text().count(edit.old) if path.is_file() else None
        if found is None:
            yield f"there is no {edit.file}"
        elif found != 1:
            yield f"{edit.file} has {found} times, not once: {edit.old!r}"
        if edit.old == edit.new:
            yield f"changes nothing in {edit.file}"
        if found == 1 and path.suffix == ".py" and not parses(path.read_text().replace(edit.old, edit.new)):
            yield f"leaves no Python in {edit.file}"
    for test in mutation.tests:
        file, _, name = test.partition("::")
        if not (ROOT / file).is_file() or (name and name.partition("[")[0] not in functions(ROOT / file)):
            yield f"there is no test {test}"


def parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def functions(path: Path) -> set[str]:
    """The functions of a file, those of its classes as pytest names them."""
    body = ast.parse(path.read_text()).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    named = [("", node) for node in body] + [(f"{one.name}::", node) for one in classes for node in one.body]
    return {prefix + node.name for prefix, node in named if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@contextmanager
def copy() -> Iterator[Path]:
    """A throw-away copy of the working tree, with what is not committed yet."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        for name in filter(None, names):
            if (ROOT / name).is_file():
                target = Path(folder) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        yield Path(folder)


@contextmanager
def mutated(tree: Path, mutation: Mutation) -> Iterator[None]:
    """The tree with these edits, and afterwards without. Unmutated files keep their times, by which Python tells
    compiled files from stale ones."""
    aside = {tree / edit.file: tree / f"{edit.file}.unmutated" for edit in mutation.edits}
    for path, copied in aside.items():
        shutil.copy2(path, copied)
    try:
        for edit in mutation.edits:
            path = tree / edit.file
            path.write_text(path.read_text().replace(edit.old, edit.new))
        yield
    finally:
        for path, copied in aside.items():
            copied.replace(path)


def pytest(tree: Path, tests: Sequence[str], *options: str, **changes: str) -> Run:
    """Runs these tests of the tree, on servers of its own; `changes` are of the environment."""
    report, log = tree / "report.xml", tree / "output.txt"
    report.unlink(missing_ok=True)
    python = (sys.executable, "-m")
    command = [*python, "devsite.servers", "exec", "--", *python, "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"--junitxml={report}", *options, *tests]
    environment = {**os.environ, "DATABASE_URL": "", "REDIS_URL": "", **changes}
    started, code = time.monotonic(), None
    with log.open("w") as output, suppress(subprocess.TimeoutExpired):
        code = subprocess.call(command, cwd=tree, env=environment, stdout=output, stderr=output, timeout=LONGEST)
    seconds = time.monotonic() - started
    # 0: all passed. 1: some failed. Everything else: it was not about the tests.
    found = failures(report) if code in (0, 1) and report.exists() else None
    return Run(found, seconds, log.read_text(errors="replace"))


def failures(report: Path) -> list[Failure]:
    found = []
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # pytest has just written it
        test = f"{case.get('classname', '')}.{case.get('name')}".removeprefix("tests.")
        for verdict in (*case.iter("failure"), *case.iter("error")):
            found.append(Failure(test, verdict.get("message", "").partition("\n")[0]))
    return found


def control(trees: Sequence[Path], mutations: Sequence[Mutation]) -> bool:
    """Whether all tests of these mutations pass on the code as it is, once, shared out among the trees."""
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    shares = [share for share in (tests[start :: len(trees)] for start in range(len(trees))) if share]
    with ThreadPoolExecutor(len(shares)) as pool:
        runs = list(pool.map(pytest, trees, shares))
    passed = all(run.failures == [] for run in runs)
    seconds = max(run.seconds for run in runs)
    say(f"Control: {len(tests)} files and tests {'pass' if passed else 'FAIL'} in {seconds:.0f} s.\n")
    for run in runs:
        if run.failures != []:
            sys.stderr.write(run.output[-8000:])
    return passed


def attempts(trees: Sequence[Path], mutations: Sequence[Mutation]) -> Iterator[tuple[Mutation, Run]]:
    """Tries each mutation, in their order, as many at a time as there are trees."""
    free: SimpleQueue[Path] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def attempt(mutation: Mutation) -> Run:
        tree = free.get()
        try:
            with mutated(tree, mutation):
                return pytest(tree, mutation.tests, "-x", "--timeout=200", PATIENCE=PATIENCE)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        yield from zip(mutations, pool.map(attempt, mutations), strict=True)


def row(mutation: Mutation, run: Run) -> str:
    """A line of the table."""
    caught = "**not caught**"
    if run.proof is not None:
        caught = f"`{run.proof.test.partition('[')[0]}`: {run.proof.reason[:60]}"
    return f"| {mutation.name} | {caught.replace('|', '/')} | {run.seconds:.0f} |"


def chosen(words: Sequence[str]) -> list[Mutation]:
    """Those with one of the words in their name or file, all without words. Ends the program if one does not fit."""
    mutations = [one for one in load() if not words or any(word in f"{one.name} {one.edits[0].file}" for word in words)]
    if complaints := [f"{mutation.name}: {why}" for mutation in mutations for why in misfits(mutation)]:
        sys.exit("\n".join(["These mutations do not fit the code as it is:", *complaints]))
    if not mutations:
        sys.exit("No mutation is chosen by these words.")
    return mutations


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # what this program is for


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description="Are broken promises noticed?")
    parser.add_argument("words", nargs="*", help="only mutations with one of these in their name or file")
    parser.add_argument("--check", action="store_true", help="run nothing: does each still fit the code?")
    parser.add_argument("--no-control", action="store_true", help="without the tests on the code as it is")
    parser.add_argument("--jobs", type=int, default=2, help="at a time; each has servers of its own (default: 2)")
    options = parser.parse_args()
    mutations = chosen(options.words)
    if options.check:
        say(f"{len(mutations)} mutations fit the code.")
        return 0
    started, missed = time.monotonic(), 0
    with ExitStack() as stack:
        trees = [stack.enter_context(copy()) for _ in range(max(1, options.jobs))]
        if not (options.no_control or control(trees, mutations)):
            return 1
        say("| broken | caught by | s |\n|---|---|---|")
        for mutation, run in attempts(trees, mutations):
            say(row(mutation, run))
            if run.proof is None:
                missed += 1
                sys.stderr.write(f"{mutation.name}: not caught\n{run.output[-4000:]}\n")
    say(f"\n{len(mutations) - missed} of {len(mutations)} caught, in {time.monotonic() - started:.0f} s.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
