"""A broker that is away, hangs, restarts or refuses: the answer is 202 all the same, and does not wait for it.

So do mails that a request asks for.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from subprocess import Popen

import pytest
from celery import current_app
from django.conf import settings as site
from django.utils import timezone
from prometheus_client import REGISTRY

from accounts.models import User
from actions import dead_letters, queue
from actions.models import QueuedWork
from api import broker, redis_client
from tests.support.client import Api, assert_problem
from tests.support.people import total
from tests.support.processes import PATIENCE
from tests.support.queued import fresh, queued, results
from tests.support.rabbitmq import rabbitmq
from tests.support.redis_of_our_own import OwnRedis, own_redis
from tests.support.worker import ON_RABBITMQ
from tests.system.live.server import free_port

__all__ = ["own_redis"]

RESET = "/api/v1/auth/password/reset"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unlimited", "hung_up")]


@pytest.fixture
def hung_up() -> Iterator[None]:
    """This thread without a connection to the broker, and the broker one that has not failed."""
    broker.kept.close()
    broker.breaker.open_until = 0.0
    yield
    broker.kept.close()
    broker.breaker.open_until = 0.0


class Listener:
    """A port that takes connections, counts them and never says a word."""

    def __init__(self) -> None:
        self.taken: list[socket.socket] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        while True:
            try:
                self.taken.append(self.server.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for each in self.taken:
            each.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def sends(outcome: str) -> float:
    return REGISTRY.get_sample_value("scoreboard_queue_sends_total", {"outcome": outcome}) or 0.0


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setitem(current_app.conf, "broker_write_url", url)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_nobody_listens_and_the_work_is_accepted_all_the_same(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    use(monkeypatch, f"{scheme}://127.0.0.1:9//")
    failed = sends("failed")
    work = queued(api, alice, fresh(alice))
    assert sends("failed") == failed + 1
    assert "queue_send_failed" in caplog.text
    assert [result["status"] for result in results(api, alice, work)] == [200]


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_one_that_hangs_is_tried_once_and_then_left_alone(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch, listener: Listener, scheme: str
) -> None:
    use(monkeypatch, f"{scheme}://127.0.0.1:{listener.port}//")
    monkeypatch.setattr(broker.breaker, "seconds", 3600.0)
    works = [queued(api, alice, fresh(alice)) for _ in range(20)]
    assert len(listener.taken) == 1
    assert QueuedWork.objects.filter(state="queued").count() == len(works)


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, "Popen[bytes]"]]:
    """(its host and port, its process): a RabbitMQ that only this module uses."""
    port = free_port()
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq"), port, f"listeners.tcp.1 = 127.0.0.1:{port}") as process:
        yield f"127.0.0.1:{port}", process


@pytest.fixture
def on_rabbitmq(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that go with an amqp:// URL, whatever the broker of this run is."""
    monkeypatch.setitem(current_app.conf, "broker_transport_options", {"confirm_publish": True})


@pytest.mark.usefixtures("on_rabbitmq")
@pytest.mark.parametrize(
    "refused", ["guest:rotated@{}//", pytest.param("guest:guest@{}/no-such-host", marks=pytest.mark.long)]
)
def test_one_that_refuses_our_password_or_virtual_host_is_away(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch, rabbit: tuple[str, "Popen[bytes]"], refused: str
) -> None:
    use(monkeypatch, f"amqp://{refused.format(rabbit[0])}")
    failed = sends("failed")
    work = queued(api, alice, fresh(alice))
    assert sends("failed") == failed + 1
    assert [result["status"] for result in results(api, alice, work)] == [200]
    broker.breaker.open_until = 0.0
    assert_problem(api.post(RESET, {"email": "alice@example.org"}), "unavailable")


@pytest.mark.usefixtures("on_rabbitmq", "patient_broker")
def test_a_mail_is_not_asked_for_until_one_that_hangs_has_an_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch, rabbit: tuple[str, "Popen[bytes]"]
) -> None:
    use(monkeypatch, f"amqp://guest:guest@{rabbit[0]}//")
    assert api.post(RESET, {"email": "alice@example.org"}).status_code == 202
    monkeypatch.setattr(broker, "TIMEOUT_SECONDS", 0.5)
    os.killpg(rabbit[1].pid, signal.SIGSTOP)
    resumed = threading.Timer(PATIENCE, os.killpg, (rabbit[1].pid, signal.SIGCONT))  # for a request that does wait
    resumed.start()
    try:
        assert_problem(api.post(RESET, {"email": "alice@example.org"}), "unavailable")
    finally:
        resumed.cancel()
        os.killpg(rabbit[1].pid, signal.SIGCONT)


@pytest.mark.usefixtures("patient_broker")
def test_when_it_is_back_what_waited_is_sent(api: Api, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as away:
        use(away, "redis://127.0.0.1:9//")
        works = [queued(api, alice, fresh(alice)) for _ in range(3)]
    sent = sends("sent")
    broker.breaker.open_until = 0.0
    assert queue.resend(timezone.now() + queue.RESEND_AFTER + timedelta(seconds=1)) == len(works)
    assert sends("sent") == sent + 3


@pytest.mark.usefixtures("patient_broker")
def test_a_connection_that_a_restart_has_closed_is_opened_anew(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch, own_redis: OwnRedis
) -> None:
    use(monkeypatch, "redis+socket://" + own_redis.url.removeprefix("unix://").replace("?db=", "?virtual_host="))
    monkeypatch.setitem(current_app.conf, "broker_transport_options", {"global_keyprefix": "own:"})
    sent = sends("sent")
    queued(api, alice, fresh(alice))
    own_redis.stop()
    own_redis.start()
    queued(api, alice, fresh(alice))
    assert sends("sent") == sent + 2
    redis = redis_client.connection()
    assert redis.llen(f"own:{dead_letters.REDEMPTIONS}") == 2, "its log has kept the first one"


def test_a_full_one_refuses_and_the_work_waits(
    api: Api, alice: User, monkeypatch: pytest.MonkeyPatch, own_redis: OwnRedis
) -> None:
    use(monkeypatch, "redis+socket://" + own_redis.url.removeprefix("unix://").replace("?db=", "?virtual_host="))
    redis_client.connection().config_set("maxmemory", 1)
    failed = sends("failed")
    queued(api, alice, fresh(alice))
    assert sends("failed") == failed + 1
    assert total(alice) == 0


def test_every_queue_has_the_prefix_of_this_run() -> None:
    names = {queue.name for queue in (*dead_letters.QUEUES, dead_letters.DEAD_QUEUE)}
    assert site.QUEUE_PREFIX
    assert names == {f"{site.QUEUE_PREFIX}{name}" for name in ("celery", "redemptions", "redemptions.dead")}
    assert current_app.conf.task_default_queue == f"{site.QUEUE_PREFIX}celery"


def test_on_redis_every_key_of_the_broker_has_it_too(api: Api, alice: User) -> None:
    if ON_RABBITMQ:
        assert "global_keyprefix" not in site.CELERY_BROKER_TRANSPORT_OPTIONS
        return
    queued(api, alice, fresh(alice))
    keys = [key.decode() for key in redis_client.connection().scan_iter("*redemptions*", count=1000)]
    own = [key for key in keys if dead_letters.REDEMPTIONS in key]
    assert own
    assert all(key.startswith(site.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]) for key in own)
