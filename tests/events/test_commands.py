"""What a developer and an operator do at the command line, and what a start refuses."""

import contextlib
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts.models import User
from config import checks
from events import deliveries
from events.models import Endpoint
from scoreboard import ledger
from tests.events.documentation import documented
from tests.support.people import entry, give
from tests.support.processes import PATIENCE, environment, eventually, running
from tests.system.live.server import free_port

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "dG9wc2VjcmV0"  # "topsecret"
FAULTS: dict[str, tuple[str, Any, str]] = {
    "a broker of another kind": ("EVENT_BROKER_URL", "redis://:topsecret@127.0.0.1/0", "EVENT_BROKER_URL"),
    "a broker without a host": ("EVENT_BROKER_URL", "amqp://", "EVENT_BROKER_URL"),
    "a queue for nothing": ("EVENT_QUEUE_LENGTH", 0, "EVENT_QUEUE_LENGTH is 0"),
    "a key without its id": ("EVENT_ENCRYPTION_KEYS", [SECRET], "EVENT_ENCRYPTION_KEYS: item 1"),
    "a key too short": ("EVENT_ENCRYPTION_KEYS", [f"k:{SECRET}"], "EVENT_ENCRYPTION_KEYS: key 'k'"),
    "a network with bits of a host": ("WEBHOOK_ALLOW", ["10.1.2.3/8"], "WEBHOOK_ALLOW: '10.1.2.3/8'"),
    "a URL for a host": ("WEBHOOK_ALLOW", ["https://shop.internal"], "WEBHOOK_ALLOW"),
    "an address that is none": ("WEBHOOK_ALLOW", ["10.1.2"], "WEBHOOK_ALLOW"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_no_secret_shown(settings: Settings, fault: str) -> None:
    name, value, words = FAULTS[fault]
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured) as refusal:
        checks.enforce()
    assert words in str(refusal.value)
    assert SECRET not in str(refusal.value)
    assert "topsecret" not in str(refusal.value)


def test_the_control_sound_settings_start(settings: Settings) -> None:
    settings.EVENT_BROKER_URL = "amqps://user:topsecret@broker.internal:5671//"
    settings.WEBHOOK_ALLOW = ["127.0.0.1", "shop.internal", "10.0.0.0/8", "fd00::/8", "::1"]
    checks.enforce()


def test_listen_prints_what_happens_from_now_on(alice: User, tmp_path: Path) -> None:
    give(alice, 1)
    command = [sys.executable, "manage.py", "listen", "--count", "3"]
    log = tmp_path / "listen.log"
    with running(command, environment(), log) as process:
        eventually(lambda: "Listening" in log.read_text(), "it listens")
        ledger.record([entry(alice, 1), entry(alice, 1)])
        give(alice, 1)
        assert process.wait(PATIENCE) == 0
    said = log.read_text()
    assert [f'"score": {total}' in said for total in (1, 2, 3, 4)] == [False, True, True, True]
    assert said.count("scoreboard.updates") == 3


def test_create_webhook_prints_the_secret_alone_and_the_printed_receiver_verifies_it(
    alice: User, settings: Settings, tmp_path: Path
) -> None:
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    port, out = free_port(), StringIO()
    call_command("create_webhook", "my shop", f"http://127.0.0.1:{port}/", stdout=out, stderr=StringIO())
    secret = out.getvalue().strip()
    assert secret == Endpoint.objects.get().secret
    script, log = tmp_path / "receiver.py", tmp_path / "receiver.log"
    script.write_text(documented("class Receiver"))
    give(alice, 7)
    env = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    with contextlib.ExitStack() as stack:
        process: subprocess.Popen[bytes] = stack.enter_context(running([sys.executable, str(script)], env, log))

        def heard() -> bool:
            assert process.poll() is None, log.read_text()
            Endpoint.objects.get().deliveries.update(next_attempt_at="2000-01-01T00:00:00Z")
            deliveries.deliver(Endpoint.objects.get())
            return f"{alice.pk} has 7" in log.read_text()

        eventually(heard, "the receiver has heard")


@pytest.mark.parametrize(
    "arguments",
    [
        ["x", "http://shop.example/"],
        ["x", "https://shop.example/", "--types", "all"],
        ["x", "https://shop.example/", "--batch", "0"],
        ["", "https://shop.example/"],
    ],
)
def test_create_webhook_says_what_is_wrong(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("create_webhook", *arguments, stderr=StringIO())
    assert not Endpoint.objects.exists()
