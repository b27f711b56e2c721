"""Fixtures of the write side, the read side and the API."""

import logging
import uuid
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from celery import current_app
from django.conf import settings as site
from django.db import connection
from django.test import Client, TransactionTestCase
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from accounts.hashing import ScryptPasswordHasher
from accounts.models import User
from actions import dead_letters
from api import broker, redis_client, throttles
from leaderboard import boards, catch_up, rebuild, reconcile, snapshots
from leaderboard.boards import Board, known
from leaderboard.ranking.retry import misses
from tests.support import database
from tests.support.admin_site import signed_in, superuser
from tests.support.client import Api
from tests.support.people import player
from tests.support.redis_of_our_own import own_redis

__all__ = ["own_redis"]


@pytest.fixture(scope="session", autouse=True)
def quick_flush() -> Iterator[None]:
    """Tests that commit leave an empty database behind in milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", database.empty_instead_of_flush)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """The site's hashes of passwords, at a thousandth of their price: each would take a fifth of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScryptPasswordHasher, "work_factor", 16)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_look_for_static_files() -> Iterator[None]:
    """WhiteNoise looks through all static files when it is made, and each client of a test makes its own."""
    whitenoise: Any = import_module("whitenoise.middleware").WhiteNoiseMiddleware
    look = whitenoise.add_files_from_finders
    seen: dict[str, Any] = {}

    def look_once(middleware: Any) -> None:
        if not seen:
            look(middleware)
            seen.update(middleware.files)
        middleware.files.update(seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whitenoise, "add_files_from_finders", look_once)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """pytest-django's. A process that a test has just killed may not have hung up when the database is to go."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="session", autouse=True)
def no_queues_left() -> Iterator[None]:
    """RabbitMQ keeps what is durable; all of this run's has its prefix. (On Redis it goes with the run's keys.)"""
    yield
    if site.CELERY_BROKER_URL.startswith("amqp"):
        with current_app.connection_for_write() as broker_connection:
            channel: Any = broker_connection.default_channel
            for queue in (*dead_letters.QUEUES, dead_letters.DEAD_QUEUE):
                channel.queue_delete(queue.name)
            channel.exchange_delete(site.CELERY_TASK_DEFAULT_QUEUE)


@pytest.fixture
def redis_of_its_own(settings: Settings) -> Iterator[None]:
    """A key prefix for this test alone, and this process without memories of another test's board."""
    settings.REDIS_KEY_PREFIX = f"{site.REDIS_KEY_PREFIX}{uuid.uuid4().hex[:12]}:"
    forget_boards()
    yield
    for board in known._listing.boards.values():
        names = boards.keys(board)
        redis_client.connection().delete(*names.all(), names.lock)
    forget_boards()


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is in flight in the test that a reconcile would have to wait for."""
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0)


def forget_boards() -> None:
    """What a process remembers of Redis between requests."""
    redis_client.breaker.open_until = 0.0
    with catch_up._sweeping:
        catch_up._made_up = misses.latest
    snapshots._snapshots.clear()
    boards.forget()


def forget_keys(prefix: str) -> None:
    """Deletes what a site of this run has in Redis; everything else there stays."""
    redis = redis_client.connection()
    for key in redis.scan_iter(f"{prefix}*", count=1000):
        redis.delete(key)


@pytest.fixture
def board(transactional_db: None, redis_of_its_own: None) -> Board:
    """The global board, built, with the players in SQL."""
    board = boards.get("global")
    assert rebuild.rebuild(board)
    return board


@pytest.fixture
def unlimited(settings: Settings) -> None:
    """No rate limits: for tests of something else that ask a lot."""
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")


@pytest.fixture
def unbounded_hashes(settings: Settings) -> None:
    """A process makes few scrypt hashes at once and refuses who comes then: for tests of many at once."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def fresh_limits(redis_of_its_own: None) -> Iterator[None]:
    """Allowances without a use yet, in Redis and in this process."""
    forget_limits()
    yield
    forget_limits()


def forget_limits() -> None:
    throttles.shared.cache_clear()
    throttles.make_own.cache_clear()


@pytest.fixture
def patient_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What this thread hands over is taken, however long a busy machine makes the broker take for it."""
    monkeypatch.setattr(broker, "TIMEOUT_SECONDS", 20.0)
    broker.kept.close()
    broker.breaker.open_until = 0.0
    yield
    broker.kept.close()


@pytest.fixture
def alice(db: None) -> User:
    """The player who acts."""
    return player("alice", email="alice@example.org")


@pytest.fixture
def bob(db: None) -> User:
    """Another player, with nothing to do with alice."""
    return player("bob", email="bob@example.org")


@pytest.fixture
def mod(db: None) -> User:
    """A moderator."""
    return player("mod", role=User.Role.MODERATOR)


@pytest.fixture
def root(db: None) -> User:
    """A superuser."""
    return superuser()


@pytest.fixture
def admin_site(root: User) -> Client:
    """The admin site as the superuser uses it."""
    return signed_in(root)


@pytest.fixture
def api() -> Api:
    """The HTTP API in this process; a defect shows as the 500 a client would get."""
    return Api()


@pytest.fixture
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test that logged an error or a traceback."""
    with caplog.at_level(logging.WARNING):
        yield
    loud = [r for r in caplog.get_records("call") if r.levelno >= logging.ERROR or r.exc_info]
    assert [r.getMessage() for r in loud] == []
