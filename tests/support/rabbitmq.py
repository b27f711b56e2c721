"""A RabbitMQ of a test's own, from the machine's package: another port, node and folder than the machine's."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import eventually, listens, running
from tests.support.programs import needed
from tests.system.live.server import free_port

PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


@contextmanager
def rabbitmq(home: Path, port: int, *lines: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs until the end of the block, where it is killed by SIGKILL. `lines`: of its configuration, which says that it
    listens on `port`. What it has is in `home`, and is there again when it is started once more."""
    needed("rabbitmq-server", "rabbitmq-server")
    (home / "rabbitmq.conf").write_text("\n".join([*lines, "log.console = true", "loopback_users.guest = false", ""]))
    (home / "plugins").write_text("[].")
    own = {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_CRASH_DUMP": str(home / "erl_crash.dump"),
    }
    log = home / "rabbitmq.log"
    with running([PROGRAM], {**os.environ, **own}, log) as process:
        eventually(lambda: process.poll() is not None or listens(port), "RabbitMQ listens")
        assert process.poll() is None, log.read_text()
        yield process
