"""Webhooks: signed, in order, at least once, retried, given up; and what people do about it."""

import ssl
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django.fixtures import Settings
from standardwebhooks.exceptions import WebhookVerificationError
from standardwebhooks.webhooks import Webhook

from accounts import privacy
from accounts.models import User
from api import refusals
from events import deliveries, models, notices, webhooks
from events.models import Delivery, Endpoint, Mark
from leaderboard.boards import Board
from scoreboard import changes, ledger
from scoreboard.models import ScoreHistory
from tests.events.conftest import Make, deliver
from tests.events.receiver import Receiver
from tests.support.people import entry, give, player, players
from tests.support.races import open_transaction
from tests.support.tls import certificate

pytestmark = pytest.mark.django_db(transaction=True)


def scores(receiver: Receiver) -> list[int]:
    return [event["data"]["score"] for event in receiver.events]


def test_a_change_of_a_score_arrives_in_a_cloudevents_envelope(
    alice: User, board: Board, receiver: Receiver, webhook: Make, settings: Settings
) -> None:
    settings.SITE_URL = "https://scores.example.org"
    someone = player(provider="site", external_id="42", email="")
    endpoint = webhook(batch=1)
    given = give(someone, 7)
    deliver(endpoint)
    [got], row = receiver.got, ScoreHistory.objects.get()
    event = got.events[0]
    data = event.pop("data")
    at = row.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert event == {
        "specversion": "1.0",
        "type": "scoreboard.updates",
        "source": "https://scores.example.org",
        "id": str(uuid.uuid5(someone.pk, str(given.action_id))),
        "subject": str(someone.pk),
        "time": at,
        "datacontenttype": "application/json",
        "sequence": f"{row.pk:019d}",
        "provider": "site",
    }
    assert data == {
        "event_id": event["id"],
        "user_id": str(someone.pk),
        "player": "42",
        "delta": 7,
        "value": None,
        "score": 7,
        "rank": 1,
        "source": "adjustment",
        "updated_at": at,
    }


def test_it_is_signed_as_standard_webhooks_says(alice: User, receiver: Receiver, webhook: Make) -> None:
    endpoint = webhook()
    give(alice, 7)
    deliver(endpoint)
    [got] = receiver.got
    assert Webhook(endpoint.secret).verify(got.body, got.headers)[0]["subject"] == str(alice.pk)
    assert got.headers["content-type"] == "application/cloudevents-batch+json"
    for wrong in (
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": str(int(got.headers["webhook-timestamp"]) + 1)},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint.secret).verify(got.body, {**got.headers, **wrong})
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(got.body.replace(b"7", b"8"), got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhooks.fresh_secret()).verify(got.body, got.headers)


def test_after_a_rotation_both_secrets_sign_for_a_day(alice: User, receiver: Receiver, webhook: Make) -> None:
    endpoint = webhook()
    old, new = endpoint.secret, webhooks.rotate(endpoint)
    give(alice, 1)
    deliver(endpoint)
    for secret in (old, new):
        assert Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)
    Endpoint.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    give(alice, 1)
    deliver(endpoint)
    assert Webhook(new).verify(receiver.got[1].body, receiver.got[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(receiver.got[1].body, receiver.got[1].headers)


def test_the_authorities_are_read_once_however_often_it_is_looked(
    webhook: Make, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is due, which is so most of the time."""
    settings.CA_FILE = str(certificate(tmp_path))
    endpoint, read = webhook(), []
    make = ssl.create_default_context

    def counted(*args: Any, **options: Any) -> ssl.SSLContext:
        read.append(args)
        return make(*args, **options)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    for _ in range(3):
        deliver(endpoint)
    assert len(read) <= 1


def test_what_happened_before_it_was_made_is_not_sent(alice: User, receiver: Receiver, webhook: Make) -> None:
    give(alice, 1)
    endpoint = webhook()
    give(alice, 1)
    deliver(endpoint)
    assert scores(receiver) == [2]


def test_they_come_in_requests_of_at_most_a_batch_and_in_order(
    alice: User, bob: User, receiver: Receiver, webhook: Make
) -> None:
    endpoint = webhook(batch=4)
    ledger.record([entry(user, 1) for user in (alice, bob) for _ in range(5)])
    deliver(endpoint)
    assert [len(got.events) for got in receiver.got] == [4, 4, 2]
    for user in (alice, bob):
        own = [event["data"]["score"] for event in receiver.events if event["subject"] == str(user.pk)]
        assert own == [1, 2, 3, 4, 5]
    sequence = [event["sequence"] for event in receiver.events]
    assert sequence == sorted(sequence)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 3
    assert receiver.connections == 1, "the connection is kept for a turn"
    deliver(endpoint)
    assert len(receiver.got) == 3


def test_what_commits_late_is_sent_late_and_holds_nothing_up(
    alice: User, bob: User, receiver: Receiver, webhook: Make
) -> None:
    endpoint = webhook()
    with open_transaction(alice, commits=True):
        give(bob, 1)
        deliver(endpoint)
        assert [event["subject"] for event in receiver.events] == [str(bob.pk)]
    deliver(endpoint)
    assert [event["subject"] for event in receiver.events] == [str(bob.pk), str(alice.pk)]


def test_while_it_fails_the_mark_stays_and_the_same_request_is_tried_again(
    alice: User, receiver: Receiver, webhook: Make
) -> None:
    endpoint = webhook()
    receiver.answers = lambda _: (500, {}, b"")
    give(alice, 1)
    deliver(endpoint)
    waiting = Delivery.objects.get()
    assert (waiting.state, waiting.attempts, waiting.status) == ("waiting", 1, 500)
    assert timedelta(0) < waiting.next_attempt_at - waiting.created_at <= timedelta(minutes=1)
    Delivery.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))
    give(alice, 1)
    deliver(endpoint)
    assert scores(receiver) == [1], "it is not due yet, and nothing passes it"
    assert Mark.of(endpoint.sink).after < ScoreHistory.objects.earliest("id").pk
    receiver.answers = lambda _: (200, {}, b"thank you")
    deliver(endpoint, later=True)
    assert scores(receiver) == [1, 1, 2]
    assert receiver.got[0].headers["webhook-id"] == receiver.got[1].headers["webhook-id"]
    assert Mark.of(endpoint.sink).after == ScoreHistory.objects.latest("id").pk


def test_a_process_that_dies_before_it_notes_the_confirmation_sends_again_under_the_same_id(
    alice: User, receiver: Receiver, webhook: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = webhook()
    give(alice, 1)
    with monkeypatch.context() as dies:
        dies.setattr(deliveries, "settle", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliver(endpoint)
    deliver(endpoint)
    assert scores(receiver) == [1, 1]
    assert receiver.got[0].headers["webhook-id"] == receiver.got[1].headers["webhook-id"]


def test_after_three_days_of_failures_it_is_disabled_and_told(
    alice: User, receiver: Receiver, webhook: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[refusals.Refusal] = []
    refusals.set_recorder(heard.append)
    endpoint = webhook()
    receiver.answers = lambda _: (503, {}, b"")
    give(alice, 1)
    deliver(endpoint)
    pauses = []
    for _ in deliveries.RETRIES:
        waiting = Delivery.objects.get()
        assert waiting.attempted_at is not None
        pauses.append((waiting.next_attempt_at - waiting.attempted_at).total_seconds())
        deliver(endpoint, later=True)
    refusals.set_recorder(None)
    for pause, least in zip(pauses, deliveries.RETRIES, strict=True):
        assert least <= pause <= least * 1.2 + 1
    assert 3 * 86_400 < sum(deliveries.RETRIES) < 4 * 86_400
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is not None
    assert "503" in endpoint.disabled_because
    assert [line.kind for line in heard] == ["webhook-disabled"]
    assert "shop" in heard[0].detail
    calls = len(receiver.got)
    give(alice, 1)
    deliver(endpoint, later=True)
    assert len(receiver.got) == calls == len(deliveries.RETRIES) + 1


@pytest.mark.parametrize("skip", [pytest.param(False, marks=pytest.mark.long), True])
def test_enabled_again_it_gets_what_it_missed_or_what_comes(
    alice: User, receiver: Receiver, webhook: Make, skip: bool
) -> None:
    endpoint = webhook()
    receiver.answers = lambda _: (410, {}, b"")
    give(alice, 1)
    deliver(endpoint)
    endpoint.refresh_from_db()
    assert "410" in endpoint.disabled_because, "gone at its first word"
    give(alice, 1)
    receiver.answers = lambda _: (200, {}, b"")
    webhooks.enable(endpoint, skip=skip)
    give(alice, 1)
    deliver(endpoint)
    assert scores(receiver)[1:] == ([3] if skip else [1, 2, 3])


def test_a_poisonous_request_can_be_skipped(alice: User, receiver: Receiver, webhook: Make) -> None:
    endpoint = webhook(batch=1)
    receiver.answers = lambda got: (400 if got.events[0]["data"]["score"] == 1 else 200, {}, b"")
    ledger.record([entry(alice, 1), entry(alice, 1)])
    deliver(endpoint)
    failing = Delivery.objects.get()
    assert webhooks.skip(failing)
    assert not webhooks.skip(failing)
    deliver(endpoint)
    assert scores(receiver) == [1, 2]
    assert list(Delivery.objects.order_by("id").values_list("state", flat=True)) == ["skipped", "delivered"]


def test_a_replay_sends_the_same_events_once_more(alice: User, receiver: Receiver, webhook: Make) -> None:
    endpoint = webhook()
    ledger.record([entry(alice, 1), entry(alice, 1)])
    deliver(endpoint)
    after = Mark.of(endpoint.sink).after
    webhooks.replay(Delivery.objects.get())
    give(alice, 1)
    deliver(endpoint)
    assert scores(receiver) == [1, 2, 1, 2, 3]
    first, again, _ = receiver.got
    assert [one["id"] for one in first.events] == [one["id"] for one in again.events]
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert Mark.of(endpoint.sink).after > after
    receiver.answers = lambda _: (500, {}, b"")
    failed = webhooks.replay(Delivery.objects.earliest("id"))
    deliver(endpoint)
    failed.refresh_from_db()
    assert (failed.state, failed.attempts) == ("failed", 1), "the admin who asked for it looks, and asks again"


def test_a_notice_goes_to_those_who_take_it_and_past_what_fails(alice: User, receiver: Receiver, webhook: Make) -> None:
    scored, both = webhook(), webhook(types=["scoreboard.updates", "scoreboard.notice"], batch=1)
    receiver.answers = lambda got: (200 if got.events[0]["type"] == "scoreboard.notice" else 500, {}, b"")
    give(alice, 1)
    deliver(both)
    assert notices.file("scoreboard.notice", {"kind": "drift", "text": "3 players differ."}) == 1
    deliver(both)
    deliver(scored)
    told = [event for event in receiver.events if event["type"] == "scoreboard.notice"]
    assert [event["data"] for event in told] == [{"kind": "drift", "text": "3 players differ."}]
    assert "subject" not in told[0]


def test_an_erased_player_s_events_name_no_person(receiver: Receiver, webhook: Make) -> None:
    someone = player(provider="site", external_id="alex@shop.example", email="")
    endpoint = webhook()
    give(someone, 1)
    privacy.erase(someone.pk)
    deliver(endpoint)
    [event] = receiver.events
    assert (event["data"]["player"], event["data"]["rank"], event["data"]["score"]) == (None, None, 1)
    assert b"alex" not in receiver.got[0].body
    assert "provider" not in event


def test_what_makes_no_webhook_says_why(receiver: Receiver, webhook: Make, settings: Settings) -> None:
    wrong: list[dict[str, Any]] = [
        {"types": []},
        {"types": ["everything"]},
        {"batch": 0},
        {"batch": 501},
        {"url": "ftp://shop.example/"},
        {"url": "https://user:password@shop.example/"},
        {"url": "http://shop.example/"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://[::1]/"},
        {"url": "nonsense"},
    ]
    settings.WEBHOOK_ALLOW = []
    for fields in wrong:
        with pytest.raises(ValidationError):
            webhook(**{"url": "https://shop.example/hook", **fields})
    assert not Endpoint.objects.exists()
    assert not Mark.objects.exists()


def test_the_log_is_bounded_and_what_waits_is_kept(alice: User, webhook: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "KEPT_OF_ONE", 3)
    endpoint = webhook()
    old = timezone.now() - models.KEPT - timedelta(minutes=1)
    common = {"endpoint": endpoint, "message_id": uuid.uuid4(), "type": "scoreboard.updates"}
    waiting = Delivery.objects.create(**common, created_at=old)
    Delivery.objects.create(**common, created_at=old, state="failed")
    newest = [Delivery.objects.create(**common, state="delivered").pk for _ in range(5)][-3:]
    assert models.purge() == 3
    assert set(Delivery.objects.values_list("pk", flat=True)) == {waiting.pk, *newest}
    Endpoint.objects.update(disabled_at=timezone.now())
    assert models.purge() == 0
    Endpoint.objects.update(disabled_at=old)
    assert models.purge() == 1


def test_a_dump_in_another_cluster_goes_on_by_ids(
    alice: User, receiver: Receiver, webhook: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = webhook()
    give(alice, 1)
    deliver(endpoint)
    give(alice, 1)
    Mark.objects.update(cluster="another", since="900000000:900000000:", until="")
    deliver(endpoint)
    assert scores(receiver) == [1, 2]
    assert Mark.of(endpoint.sink).cluster == changes.here()[0]
    give(alice, 1)
    deliver(endpoint)
    assert scores(receiver) == [1, 2, 3]


def test_two_processes_at_one_mark_do_not_move_it_over_each_other(webhook: Make) -> None:
    endpoint = webhook()
    one, other = Mark.of(endpoint.sink), Mark.of(endpoint.sink)
    one.confirm(one.after + 5)
    with pytest.raises(models.Moved):
        other.confirm(other.after + 1)
    assert Mark.of(endpoint.sink).after == one.after


def test_two_hundred_changes_beside_open_transactions_come_once_each(receiver: Receiver, webhook: Make) -> None:
    endpoint = webhook(batch=7)
    some = players(4)
    for number in range(10):
        with open_transaction(some[0], commits=bool(number % 3)):
            ledger.record([entry(user, 1) for user in some[1:] for _ in range(5)])
            deliver(endpoint)
    deliver(endpoint)
    rows = ScoreHistory.objects.order_by("id").values_list("id", flat=True)
    assert sorted(int(event["sequence"]) for event in receiver.events) == list(rows)
    assert len({event["id"] for event in receiver.events}) == len(rows)
    now = datetime.now(UTC)
    assert all(datetime.fromisoformat(event["time"]) <= now for event in receiver.events)
