"""The container's file and commands, run by hand the way an engine would; there is none here."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.support.processes import PATIENCE, ROOT, eventually
from tests.support.procfile import procfile
from tests.support.programs import needed
from tests.system.deploy import image
from tests.system.live.server import NOWHERE, free_port

OURS = {"api", "accounts", "scoreboard", "actions", "leaderboard", "integrity", "config", "devsite", "events"}
USER = 10001


@contextmanager
def started(words: list[str], app: Path, user: int | None, **changes: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        words,
        cwd=app,
        env={
            "SECRET_KEY": settings.SECRET_KEY,
            "DATABASE_URL": NOWHERE,
            "REDIS_URL": "redis://127.0.0.1:9/0",
            **changes,
        },
        user=user,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def healthy(app: Path, user: int | None, environment: dict[str, str]) -> bool:
    words = image.command("HEALTHCHECK")
    return subprocess.run(words, cwd=app, env=environment, user=user, capture_output=True, check=False).returncode == 0


def lives(app: Path, home: Path, path: str, user: int | None = None) -> None:
    """CMD, and HEALTHCHECK before and while it runs, with the image's ENV; both servers are away."""
    own = {
        **image.environment(),
        "SCOREBOARD_HOME": str(home),
        "PATH": path,
        "BIND": "127.0.0.1",
        "PORT": str(free_port()),
    }
    assert not healthy(app, user, own)
    with started(image.command("CMD"), app, user, PROMETHEUS_MULTIPROC_DIR=str(home / "metrics"), **own) as process:
        eventually(lambda: process.poll() is not None or healthy(app, user, own), "it is healthy")
        assert process.poll() is None, process.communicate()[0]


def test_the_image_has_every_part_of_the_site_and_nothing_of_its_workshop() -> None:
    parts = {name.partition(".")[0] for name in settings.INSTALLED_APPS} & OURS | {"config"}
    sources = {source for source, _ in image.copied()}
    assert parts - sources == set(), "COPY them in the Dockerfile, and let .dockerignore pass"
    passed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sources | {"requirements.txt"} == passed
    assert image.last("USER") == f"{USER}:{USER}"


def test_every_process_of_the_procfile_is_a_service_and_its_command_one_that_exists() -> None:
    services = image.services()
    started = {words[1] for one in services.values() if (words := one.get("command", []))[:1] == ["deploy/run"]}
    assert started | {image.command("CMD")[1]} == set(procfile())
    mounted = {volume.split(":")[0] for volume in services["proxy"]["volumes"]}
    assert [source for source in mounted if source.startswith("./") and not (ROOT / source).is_file()] == []


def test_its_command_and_its_health_check_run(tmp_path: Path) -> None:
    python = Path(sys.executable).parent
    lives(ROOT, tmp_path, f"{python}{os.pathsep}{os.environ['PATH']}")


def test_a_process_that_the_procfile_does_not_have_is_refused() -> None:
    done = subprocess.run(["deploy/run", "webb"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (64, "The Procfile has no webb.\n")


@pytest.mark.long
def test_the_image_as_its_lines_make_it_serves_without_rights(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A fresh environment from the lock, only the files that are copied, a user who may write SCOREBOARD_HOME alone."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        app, opt, home = folder / "app", folder / "opt", folder / "home"
        home.mkdir()
        user = USER if os.geteuid() == 0 else None
        if user:
            shutil.chown(home, user)
        image_of(app, opt, python_for(user))
        lives(app, home, f"{opt}/venv/bin:/usr/bin:/bin", user)
        written = [path for path in app.rglob("*") if path.stat().st_uid == USER]
        assert written == []


def python_for(user: int | None) -> str:
    """One that this user may run: the one of these tests may lie in a home."""
    for program in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            asked = [program, "-c", "import ensurepip, sys; assert sys.version_info >= (3, 11)"]
            subprocess.run(asked, user=user, check=True, cwd="/", capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return program
    return needed("python3", "python3-venv")


def image_of(app: Path, opt: Path, python: str) -> None:
    """Every RUN in order, with /app and /opt in a folder of its own; the user is the caller's to be."""
    app.mkdir()
    (opt / "bin").mkdir(parents=True)
    (opt / "bin" / "python").symlink_to(python)
    shutil.copy2(ROOT / "requirements.txt", app)
    ran = 0
    for word, rest in image.instructions():
        if word == "WORKDIR":
            assert rest == "/app"
        if word == "COPY" and rest.startswith("api "):
            image.copy_to(app)
        if word == "RUN" and not rest.startswith("useradd"):
            line = rest.replace("/opt/", f"{opt}/").replace("/app", str(app))
            environment = {**os.environ, "PATH": f"{opt}/venv/bin:{opt}/bin:/usr/bin:/bin"}
            subprocess.run(["/bin/sh", "-ec", line], cwd=app, env=environment, check=True, timeout=4 * PATIENCE)
            ran += 1
    assert ran == 2
