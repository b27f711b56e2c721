"""The watch's round over real tables: who is flagged, once, whatever dies or happens at the same time."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from prometheus_client import REGISTRY

from accounts.models import User
from actions import redemption, tokens
from actions.models import ActionType
from integrity import gather, scan
from integrity.findings import Detector
from integrity.models import Flag, Watermark
from scoreboard.models import ScoreHistory
from tests.integrity.cases import burst, flags
from tests.integrity.past import every, human, played
from tests.support.people import give, player, submission
from tests.support.races import uncommitted

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("watched", "unlimited")]


def opened(detector: str) -> float:
    return REGISTRY.get_sample_value("scoreboard_flags_total", {"detector": detector}) or 0.0


# --- What is found ----------------------------------------------------------------------------------


def test_a_burst_over_the_real_path_is_flagged_with_its_entries_and_counted(alice: User) -> None:
    before = opened("velocity")
    for _ in range(40):
        redemption.redeem(alice.pk, submission(tokens.mint(alice.pk, "COMPLETE_TASK")))
    assert scan.scan().opened["velocity"] == 1
    flag = Flag.objects.get(user=alice, detector=Detector.VELOCITY)
    assert flag.state == Flag.State.OPEN
    assert flag.sentence == "400 points of COMPLETE_TASK within a minute; 300 is the most"
    entries = list(ScoreHistory.objects.filter(user=alice).order_by("id").values_list("id", flat=True))
    assert list(flag.entries.order_by("history_id").values_list("history_id", flat=True)) == entries
    assert flag.evidence["strongest"]["history_ids"] == entries
    assert opened("velocity") == before + 1


def test_a_timer_no_rest_and_instant_redemptions_are_flagged_from_the_tables(alice: User, bob: User) -> None:
    ActionType.objects.create(slug="LEVEL", title="Level", points=50, min_seconds=120)
    played(alice, every(900, 94))
    start = timezone.now().timestamp() - 20_000
    played(bob, [start + 120 * n + at for n, at in enumerate(human(40))], "LEVEL", 50, took=120.1, floor=120)
    scan.scan()
    assert {detector for detector, _ in flags(alice)} == {"regular", "tireless"}
    assert {detector for detector, _ in flags(bob)} == {"instant"}


def test_a_person_is_not_flagged(alice: User) -> None:
    now = timezone.now().timestamp()
    moments = human(200)
    played(alice, [now - moments[-1] - 60 + moment for moment in moments])
    scan.scan()
    assert flags(alice) == []


def test_points_from_admins_and_moderators_are_nobodys_pattern(alice: User) -> None:
    for _ in range(60):
        give(alice, 1000)
    scan.scan()
    assert flags(alice) == []


def test_who_is_on_no_board_is_not_looked_at(alice: User, bob: User) -> None:
    burst(alice)
    burst(bob)
    User.objects.filter(pk=alice.pk).update(is_hidden=True)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert scan.scan().players == 0


def test_what_a_back_end_may_award_at_most_is_what_the_ceiling_counts(alice: User, bob: User) -> None:
    ActionType.objects.create(slug="BOSS", title="Boss", points=50, min_points=1, max_points=5000)
    played(alice, every(10, 5), "BOSS", 5000)
    played(bob, every(1, 40), "BOSS", 5000)
    scan.scan()
    assert (flags(alice), flags(bob)) == ([], [("velocity", "open"), ("regular", "open")])


def test_a_token_that_is_purged_already_is_not_missed(alice: User) -> None:
    burst(alice)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM action_tokens")
    scan.scan()
    assert ("velocity", "open") in flags(alice)


# --- Nothing is missed ------------------------------------------------------------------------------


def test_a_commit_that_comes_late_is_found_by_the_next_round(alice: User, bob: User) -> None:
    late = list[int]()
    with uncommitted(lambda: late.extend(burst(alice))):
        seen = burst(bob)
        scan.scan()
        assert (bool(flags(bob)), flags(alice)) == (True, [])
    # A cursor over history ids would have passed them by.
    assert max(late) < min(seen)
    scan.scan()
    assert ("velocity", "open") in flags(alice)


def test_a_round_is_bounded_and_the_next_goes_on_where_it_ended(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WATCH = {**settings.WATCH, "players_per_run": 4}
    monkeypatch.setattr(scan, "PAGE", 2)
    people = [player() for _ in range(9)]
    for someone in people:
        burst(someone)
    rounds = [scan.scan().players for _ in range(3)]
    assert rounds[:2] == [4, 4]
    assert all(("velocity", "open") in flags(someone) for someone in people)


def test_one_transaction_over_more_players_than_a_page_does_not_stop_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "PAGE", 2)
    people = [player() for _ in range(5)]
    with transaction.atomic():
        for someone in people:
            burst(someone)
    assert scan.scan().players == 5
    assert all(flags(someone) for someone in people)


def test_a_round_that_dies_leaves_nothing_half_done(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    burst(alice)
    scan.scan()
    mark = Watermark.objects.values().get()
    burst(alice, ago=-120)

    def die(*_: Any) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(scan, "record", die)
        with pytest.raises(KeyboardInterrupt):
            scan.scan()
    assert Watermark.objects.values().get() == mark
    scan.scan()
    assert Flag.objects.get(user=alice, detector=Detector.VELOCITY).evidence["times"] == 2


def test_a_worker_that_was_away_for_days_catches_up(alice: User) -> None:
    give(alice, 1)
    before = timezone.now()
    scan.scan()
    assert before < (Watermark.objects.get().seen_until or before) < timezone.now()
    Watermark.objects.update(seen_until=timezone.now() - timedelta(days=3))
    burst(alice, ago=2 * 86_400)
    scan.scan()
    assert ("velocity", "open") in flags(alice)


def test_another_database_is_looked_through_from_the_beginning(alice: User) -> None:
    burst(alice)
    Watermark.objects.create(pk=1, source="another/1", since=2**60, next_since=2**60)
    scan.scan()
    assert ("velocity", "open") in flags(alice)


# --- The events of one player -----------------------------------------------------------------------


def test_events_come_in_order_and_only_since_then(alice: User, bob: User) -> None:
    moments = every(10, 30)
    ids = played(alice, moments)
    played(bob, every(10, 3))
    since = datetime.fromtimestamp(moments[10] - 1, UTC)
    found = gather.events([alice.pk, bob.pk, uuid.uuid4()], since)
    assert [event.history_id for event in found[alice.pk]] == ids[10:]
    assert [round(event.redeemed - event.issued, 3) for event in found[alice.pk]] == [0.2] * 20
    assert len(found[bob.pk]) == 3
    assert set(found) == {alice.pk, bob.pk}
