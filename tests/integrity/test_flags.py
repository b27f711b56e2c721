"""One open flag for each player and detector: what is added to it, what is not, and what a decision ends."""

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from integrity import scan
from integrity.findings import Detector, Severity
from integrity.models import Flag, FlaggedEntry, Watermark
from tests.integrity.cases import burst, flags
from tests.support.people import give
from tests.support.races import Meanwhile, at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("watched", "unlimited")]


def test_the_same_evidence_again_changes_nothing(alice: User) -> None:
    burst(alice)
    scan.scan()
    before = list(Flag.objects.order_by("pk").values())
    entries = FlaggedEntry.objects.count()
    for _ in range(3):
        give(alice, 1)  # so that the player is looked at again
        scan.scan()
    assert list(Flag.objects.order_by("pk").values()) == before
    assert FlaggedEntry.objects.count() == entries


def test_new_evidence_is_added_to_the_open_flag(alice: User) -> None:
    first = burst(alice, ago=300)
    scan.scan()
    second = burst(alice, 70, ago=5)
    scan.scan()
    flag = Flag.objects.get(user=alice, detector=Detector.VELOCITY)
    assert flag.evidence["times"] == 2
    assert flag.severity == Severity.HIGH
    assert flag.entries.count() == len(first + second)
    assert flag.updated_at > flag.opened_at


def test_a_flag_keeps_its_strongest_evidence(alice: User) -> None:
    burst(alice, 70, ago=300)
    scan.scan()
    flag = Flag.objects.get(user=alice, detector=Detector.VELOCITY)
    Flag.objects.filter(pk=flag.pk).update(state="dismissed", decided_at=timezone.now())
    burst(alice, 70, ago=-300)
    scan.scan()
    burst(alice, 31, ago=-600)
    scan.scan()
    fresh = Flag.objects.get(user=alice, detector=Detector.VELOCITY, state="open")
    assert fresh.evidence["strongest"]["severity"] == "3-high"


@pytest.mark.parametrize("state", [Flag.State.DISMISSED, Flag.State.CONFIRMED])
def test_a_decided_flag_is_not_reopened_by_the_same_evidence_but_by_new(alice: User, state: str) -> None:
    burst(alice)
    scan.scan()
    Flag.objects.filter(user=alice).update(state=state, decided_at=timezone.now())
    before = flags(alice)
    give(alice, 1)
    scan.scan()
    assert flags(alice) == before
    burst(alice, ago=-60)
    scan.scan()
    assert ("velocity", "open") in flags(alice)


def test_rounds_at_the_same_moment_flag_once(alice: User) -> None:
    burst(alice)
    rounds = at_once(8, lambda _: scan.scan())
    assert not [outcome for outcome in rounds if isinstance(outcome, Exception)]
    assert sorted(flags(alice)) == [("regular", "open"), ("velocity", "open")]
    assert sum(sum(done.opened.values()) for done in rounds if isinstance(done, scan.Round)) == 2


def test_a_round_that_finds_another_at_work_leaves_it_alone(alice: User) -> None:
    Watermark.objects.create(pk=1)
    burst(alice)
    with transaction.atomic():
        assert Watermark.claim()
        done = Meanwhile(scan.scan).outcome()
    assert (done.players, done.finished, flags(alice)) == (0, False, [])
    assert scan.scan().players == 1


def test_a_decision_made_during_a_round_is_seen_by_it(alice: User) -> None:
    """The round has to wait for it: otherwise it would open the flag again that was dismissed a moment ago."""
    burst(alice)
    scan.scan()
    give(alice, 1)
    with transaction.atomic():
        Flag.objects.filter(user=alice).update(state="dismissed", decided_at=timezone.now())
        round_ = Meanwhile(scan.scan)
        round_.wait_until_blocked()
    assert round_.outcome().players == 1
    assert sorted(flags(alice)) == [("regular", "dismissed"), ("velocity", "dismissed")]
