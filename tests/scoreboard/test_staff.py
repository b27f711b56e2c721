"""Staff earn nothing: the total of a moderator, an admin or a superuser never rises, whichever way the points come."""

from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from scoreboard import adjustments, ledger
from scoreboard.adjustments import Change
from scoreboard.ledger import Entry
from scoreboard.models import ScoreHistory
from tests.support.admin_site import confirm, preview, said, signed_in, superuser
from tests.support.client import Api, assert_problem
from tests.support.people import entry, give, player, total
from tests.support.races import Meanwhile, at_once, none_failed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

STAFF: list[dict[str, Any]] = [{"role": "moderator"}, {"role": "admin"}, {"is_superuser": True}]


def promoted(points: int, **rights: Any) -> User:
    """Staff with points from the time before."""
    user = player()
    give(user, points)
    for name, value in rights.items():
        setattr(user, name, value)
    user.save()
    return user


@pytest.mark.parametrize("rights", STAFF)
@pytest.mark.parametrize("source", ScoreHistory.Source)
def test_no_entry_of_any_source_raises_their_total(rights: dict[str, Any], source: ScoreHistory.Source) -> None:
    staff, someone = promoted(50, **rights), player()
    entries = [
        Entry(user.pk, action, source, delta=10) for user in (staff, someone) for action in [entry(user).action_id]
    ]
    assert [outcome.outcome for outcome in ledger.record(entries)] == ["staff", "recorded"]
    assert (total(staff), total(someone)) == (50, 10)
    assert ScoreHistory.objects.filter(user=staff).count() == 1


def test_what_they_had_stays_and_can_be_lowered() -> None:
    staff = promoted(50, role="moderator")
    changes = [
        entry(staff, -20),
        entry(staff, 20),
        entry(staff, target=31),
        entry(staff, target=5),
        entry(staff, target=5),
    ]
    outcomes = ledger.record(changes)
    assert [outcome.outcome for outcome in outcomes] == ["recorded", "staff", "staff", "recorded", "unchanged"]
    assert total(staff) == 5


def test_what_was_recorded_before_is_still_a_duplicate() -> None:
    """A client that repeats must hear what became of the first."""
    staff = player()
    first = entry(staff, 50)
    ledger.record([first])
    User.objects.filter(pk=staff.pk).update(role="moderator")
    [outcome] = ledger.record([first])
    assert (outcome.outcome, outcome.new_total) == ("duplicate", 50)


def test_a_promotion_waits_for_an_entry_that_was_judged_before_it_and_the_next_one_sees_it() -> None:
    """Otherwise a total could rise while its owner is staff already."""
    alice = player()
    give(alice, 50)
    with transaction.atomic():
        [judged] = ledger.record([entry(alice, 10)])
        promotion = Meanwhile(lambda: User.objects.filter(pk=alice.pk).update(role="moderator"))
        promotion.wait_until_blocked()
    assert (judged.outcome, promotion.outcome()) == ("recorded", 1)
    assert give(alice, 10).outcome == "staff"
    assert total(alice) == 60


@pytest.mark.parametrize("rights", STAFF)
def test_no_bonus_for_staff(rights: dict[str, Any]) -> None:
    mod, staff = player(role="moderator"), player(**rights)
    body = {"user_id": str(staff.pk), "points": 10, "reason": "thanks"}
    answer = Api().post("/api/v1/score/bonus", body, mod, {"Idempotency-Key": "k-1"})
    assert "earn no points" in assert_problem(answer, "forbidden")["detail"]
    assert total(staff) == 0


def test_two_moderators_who_give_to_each_other_get_nothing() -> None:
    """16 calls of each at one moment."""
    pair = [player(role="moderator") for _ in range(2)]

    def give_other(number: int) -> int:
        giver, receiver = pair if number % 2 else reversed(pair)
        body = {"user_id": str(receiver.pk), "points": 1_000_000, "reason": "you too"}
        status: int = Api().post("/api/v1/score/bonus", body, giver, {"Idempotency-Key": f"k-{number}"}).status_code
        return status

    assert set(none_failed(at_once(16, give_other))) == {403}
    assert [total(user) for user in pair] == [0, 0]


def test_an_adjustment_says_why_and_records_nothing_for_staff(alice: User) -> None:
    site, staff = signed_in(superuser()), promoted(50, role="moderator")
    page = preview(site, [alice, staff], delta="5")
    assert "the total of a staff account never rises" in page.content.decode()
    assert [row["line"].counts for row in page.context["rows"]] == [True, False]
    confirm(site, page)
    assert (total(alice), total(staff)) == (5, 50)
    confirm(site, preview(site, [staff], delta="-5"))
    assert total(staff) == 45


def test_who_became_staff_after_the_preview_is_left_as_they_are(alice: User, bob: User) -> None:
    site = signed_in(superuser())
    page = preview(site, [alice, bob], delta="5")
    User.objects.filter(pk=bob.pk).update(role="moderator")
    answer = confirm(site, page)
    assert "bob: not changed, the total of a staff account never rises." in said(answer)
    assert (total(alice), total(bob)) == (5, 0)


def test_a_new_total_above_the_old_one_is_refused_for_staff() -> None:
    staff = promoted(50, role="moderator")
    for target, counts in ((60, False), (40, True)):
        [line] = adjustments.plan([staff], Change("x", target=target)).lines
        assert line.counts is counts
