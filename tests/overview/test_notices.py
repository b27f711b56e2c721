"""People are told once an hour what needs them, and a mail server that fails fails nothing."""

import smtplib
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from actions.models import QueuedWork
from events import deliveries
from integrity.findings import Detector, Severity
from integrity.models import Flag
from leaderboard import boards, drift, ranking
from leaderboard.boards import Board
from leaderboard.drift import Report
from overview import checks, notices, watch
from overview.models import Notice
from tests.events.conftest import Make
from tests.events.receiver import Receiver
from tests.integrity.cases import flagged
from tests.support.admin_site import admin, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(settings: Settings, redis_of_its_own: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.NOTIFY_EMAILS = ["ops@example.org", "two@example.org"]
    settings.SITE_URL = "https://scores.example.org"
    monkeypatch.setitem(notices.CAUSES, notices.Cause.PROJECTION, notices.Projection())
    monkeypatch.setattr(notices, "there", lambda board: True)
    monkeypatch.setattr(connection, "close", lambda: None)  # the watch closes its thread's; here it is the test's


def older(minutes: int = 61) -> None:
    """As if that much time had passed since the last notice."""
    Notice.objects.update(made_at=timezone.now() - timedelta(minutes=minutes))


def dead(user: User, minutes_ago: float = 0) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    state = QueuedWork.State.DEAD
    QueuedWork.objects.create(user=user, submissions=[], accepted_at=at, sent_at=at, state=state, finished_at=at)


def test_nothing_is_told_when_there_is_nothing(alice: User) -> None:
    watch.once()
    assert mail.outbox == []
    assert not Notice.objects.exists()


def test_a_severe_flag_is_told_with_what_how_many_and_where(alice: User, bob: User) -> None:
    flagged(alice, [])
    flagged(bob, [])
    flagged(bob, [], Detector.REGULAR)
    Flag.objects.filter(detector=Detector.REGULAR).update(severity=Severity.MEDIUM)
    watch.once()
    [message] = mail.outbox
    assert message.to == ["ops@example.org", "two@example.org"]
    assert message.subject == "Suspicious play was flagged (scores.example.org)"
    assert "2 new flags of high severity or more; 2 such flags are open." in message.body
    assert "https://scores.example.org/admin/integrity/flag/" in message.body
    assert "alice" not in message.body  # names stay on the site


def test_a_notice_of_a_site_below_a_path_leads_there(alice: User, settings: Settings) -> None:
    settings.SITE_PATH = "/scores"
    flagged(alice, [])
    Context().run(watch.once)  # as in its thread, which serves no request
    assert "https://scores.example.org/scores/admin/integrity/flag/" in mail.outbox[0].body


def test_of_one_cause_there_is_one_mail_in_an_hour_and_the_next_has_the_rest(alice: User, bob: User) -> None:
    flagged(alice, [])
    for _ in range(3):
        watch.once()
    flagged(bob, [])
    flagged(bob, [], Detector.REGULAR)
    watch.once()
    assert len(mail.outbox) == 1
    older()
    watch.once()
    watch.once()
    assert len(mail.outbox) == 2
    assert "2 new flags of high severity or more; 3 such flags are open." in mail.outbox[1].body
    older()
    watch.once()
    assert len(mail.outbox) == 2  # nothing is newer


def test_causes_do_not_wait_for_each_other(alice: User) -> None:
    flagged(alice, [])
    dead(alice)
    drift.remember(boards.GLOBAL, Report("global", compared=9, found={"stale": 2, "extra": 1}))
    watch.once()
    assert {notice.cause: notice.count for notice in Notice.objects.all()} == {"flags": 1, "dead-work": 1, "drift": 3}
    assert len(mail.outbox) == 3
    older()
    watch.once()
    assert len(mail.outbox) == 3
    dead(alice)
    watch.once()
    assert "2 queued redemptions are dead" in mail.outbox[3].body


def test_a_board_that_redis_does_not_take_is_told_after_a_minute_and_every_hour(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = notices.Projection()
    assert look(None) is None
    monkeypatch.setattr(notices, "there", lambda board: False)
    assert look(None) is None  # a moment
    assert look.away_since is not None
    look.away_since -= timedelta(minutes=5)
    found = look(None)
    assert found is not None
    assert "for 5 minutes (All players)" in found.sentence
    monkeypatch.setattr(notices, "there", lambda board: True)
    assert look(None) is None
    assert look.away_since is None


def test_a_board_is_there_when_redis_has_it(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert notices.there(board)

    def away(*_: Any) -> Any:
        raise ranking.Unavailable("away")

    monkeypatch.setattr(ranking, "run", away)
    assert not notices.there(board)


def test_while_redis_is_away_the_other_causes_are_told(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> Any:
        raise ranking.Unavailable("away")

    monkeypatch.setattr(drift, "last", away)
    flagged(alice, [])
    watch.once()
    assert [notice.cause for notice in Notice.objects.all()] == ["flags"]


def test_a_mail_server_that_fails_fails_nothing_and_is_tried_again_a_few_times(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise smtplib.SMTPServerDisconnected("gone")

    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
        flagged(alice, [])
        watch.once()
        assert (Notice.objects.get().mailed_at, Notice.objects.get().tries) == (None, 1)
    watch.once()
    assert len(mail.outbox) == 1
    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
        older()
        dead(alice)
        for _ in range(9):
            watch.once()
    assert Notice.objects.latest("pk").tries == notices.TRIES
    watch.once()
    assert len(mail.outbox) == 1


def test_without_addresses_notices_are_rows_and_no_mail(alice: User, settings: Settings) -> None:
    settings.NOTIFY_EMAILS = []
    flagged(alice, [])
    watch.once()
    assert mail.outbox == []
    listed = signed_in(admin()).get("/admin/overview/notice/")
    assert "1 new flags of high severity" in listed.content.decode()


def test_a_webhook_that_takes_notices_hears_the_same(alice: User, receiver: Receiver, webhook: Make) -> None:
    scores_alone, takes_them = webhook(), webhook(types=["scoreboard.notice"], batch=1)
    flagged(alice, [])
    for _ in range(2):
        watch.once()
    for endpoint in (scores_alone, takes_them):
        deliveries.deliver(endpoint)
    [event] = receiver.events
    assert (event["type"], event["source"]) == ("scoreboard.notice", "https://scores.example.org")
    assert event["data"] == {
        "cause": "flags",
        "count": 1,
        "sentence": "1 new flags of high severity or more; 1 such flags are open.",
        "path": "/admin/integrity/flag/",
    }
    assert len(mail.outbox) == 1


def test_the_severity_is_a_setting(alice: User, settings: Settings) -> None:
    flagged(alice, [])
    Flag.objects.update(severity=Severity.LOW)
    assert notices.look() == []
    settings.NOTIFY_SEVERITY = "low"
    assert [notice.count for notice in notices.look()] == [1]


def test_old_notices_are_forgotten(alice: User) -> None:
    flagged(alice, [])
    notices.look()
    older(minutes=91 * 24 * 60)
    notices.look()
    assert not Notice.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"), [("NOTIFY_EMAILS", ["ops@example.org", "nobody"]), ("NOTIFY_SEVERITY", "worst")]
)
def test_a_start_refuses_who_cannot_be_told(settings: Settings, name: str, value: Any) -> None:
    assert checks.told(None) == []
    setattr(settings, name, value)
    [error] = checks.told(None)
    assert name in error.msg
