"""The review queue in admin: who sees it, what it shows, and that nothing happens without a confirmation."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from integrity.findings import Detector, Finding, Severity
from integrity.models import Flag
from integrity.record import record
from leaderboard.boards import Board
from scoreboard.models import UserScore
from tests.integrity.review_site import DECIDE, LABELS, QUEUE, buttons, decide, flag, page, shown, untouched
from tests.support.admin_site import said, signed_in
from tests.support.agreement import assert_agreement, sql_rows
from tests.support.people import player, players

pytestmark = pytest.mark.django_db


# --- What is shown ----------------------------------------------------------------------------------


def test_the_queue_shows_open_flags_the_most_severe_first(alice: User, bob: User, reviewer: User) -> None:
    low, high = flag(alice, severity=Severity.LOW), flag(bob)
    flag(player("settled"), state="dismissed", decided_at=timezone.now())
    response = signed_in(reviewer).get(QUEUE)
    assert [one.pk for one in response.context["cl"].result_list] == [high.pk, low.pk]
    assert "400 points of COMPLETE_TASK within a minute" in response.content.decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=open", ["alice", "bob"]),
        ("state=dismissed", ["settled"]),
        ("state=confirmed", []),
        ("state=all", ["alice", "bob", "settled"]),
        ("detector__exact=tireless", ["bob"]),
        ("severity__exact=1-low", ["alice"]),
        ("q=BOB", ["bob"]),
        ("q=bo", []),
    ],
)
def test_the_queue_can_be_filtered(alice: User, bob: User, reviewer: User, query: str, expected: list[str]) -> None:
    flag(alice, severity=Severity.LOW)
    flag(bob, Detector.TIRELESS)
    flag(player("settled"), state="dismissed", decided_at=timezone.now())
    response = signed_in(reviewer).get(f"{QUEUE}?{query}")
    assert sorted(one.user.username for one in response.context["cl"].result_list) == expected


def test_the_evidence_can_be_read(alice: User, reviewer: User) -> None:
    flagged = flag(alice)
    other = flag(alice, Detector.TIRELESS)
    response = signed_in(reviewer).get(page(flagged))
    text = response.content.decode()
    for entry in flagged.entries.all():
        assert f"<td>{entry.history_id}</td>" in text
    assert "It rests on 3 entries; 30 of their points are not taken back." in text
    assert "The player has 60 points" in text
    assert page(other) in text
    assert response.context["review"].findings[0].numbers["peak"] == 400


def test_the_accounts_of_an_address_are_listed(alice: User, reviewer: User) -> None:
    farm = players(6)
    names = tuple(sorted(str(one.pk) for one in farm))
    finding = Finding(Detector.ADDRESS, Severity.HIGH, {"accounts": 6, "alike": 6, "days": 7}, 0, 1, accounts=names)
    record(farm[0].pk, [finding], timezone.now())
    response = signed_in(reviewer).get(page(Flag.objects.get()))
    assert all(one.username in response.content.decode() for one in farm)
    assert buttons(response) == ["hide", "ban", "dismiss"]


def test_a_name_is_text_on_every_page(reviewer: User) -> None:
    nasty = player("<img src=x onerror=alert(1)>")
    flagged = flag(nasty)
    client = signed_in(reviewer)
    pages = [client.get(QUEUE), client.get(page(flagged)), client.post(DECIDE, {"measure": "ban", "flag": flagged.pk})]
    for response in pages:
        assert "&lt;img" in response.content.decode()
        assert "<img src=x" not in response.content.decode()


# --- Decisions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", LABELS)
def test_nothing_happens_before_it_is_confirmed(alice: User, reviewer: User, measure: str) -> None:
    flagged = flag(alice)
    response = decide(reviewer, measure, [flagged], confirmed=False)
    assert LABELS[measure] in response.content.decode()
    assert untouched(alice, flagged)


def test_the_page_before_a_revert_says_what_it_takes(alice: User, reviewer: User) -> None:
    response = decide(reviewer, "revert", [flag(alice)], confirmed=False)
    assert "<td>30<" in response.content.decode()


def test_a_revert_takes_no_more_than_the_page_said(alice: User, reviewer: User) -> None:
    """The patrol goes on adding evidence to a flag that is open while a reviewer reads it."""
    flagged = flag(alice)
    body = {"measure": "revert", "flag": [flagged.pk]}
    client = signed_in(reviewer)
    confirmed = body | {"confirmed": "yes"} | shown(client.post(DECIDE, body))
    assert flag(alice).pk == flagged.pk
    assert any("60 points by now, and not 30" in text for text in said(client.post(DECIDE, confirmed, follow=True)))
    assert untouched(alice, flagged)
    assert any("60 points of 6 entries" in text for text in said(decide(reviewer, "revert", [flagged])))


def test_a_revert_that_was_never_shown_takes_nothing(alice: User, reviewer: User) -> None:
    flagged = flag(alice)
    signed_in(reviewer).post(DECIDE, {"measure": "revert", "flag": [flagged.pk], "confirmed": "yes"})
    assert untouched(alice, flagged)


@pytest.mark.django_db(transaction=True)
def test_decisions_reach_the_board(alice: User, bob: User, reviewer: User, watched: Board) -> None:
    flagged, other = flag(alice), flag(bob)
    assert "30 points of 3 entries taken back. (alice)" in said(decide(reviewer, "revert", [flagged], note="bot"))
    assert "Hidden from the boards. (bob)" in said(decide(reviewer, "hide", [other]))
    assert sql_rows() == []
    assert UserScore.objects.get(user=alice).total == 0
    assert_agreement(watched)
    assert buttons(signed_in(reviewer).get(page(flagged))) == ["hide", "revert", "ban"]


def test_many_flags_are_decided_at_once_from_the_list(reviewer: User) -> None:
    flags = [flag(someone) for someone in players(5)]
    client = signed_in(reviewer)
    body = {"action": "ban", "_selected_action": [one.pk for one in flags[:4]], "index": "0", "select_across": "0"}
    asked = client.post(QUEUE, body)
    assert "4 flags" in asked.content.decode()
    assert User.objects.filter(is_active=False).count() == 0
    assert len(said(decide(reviewer, "ban", flags[:4]))) == 4
    assert User.objects.filter(is_active=False, is_hidden=True).count() == 4


def test_what_no_longer_fits_is_left_out(alice: User, bob: User, reviewer: User) -> None:
    settled = flag(alice, state="dismissed", decided_at=timezone.now())
    response = decide(reviewer, "hide", [settled, flag(bob)], confirmed=False)
    assert "bob" in response.content.decode()
    assert "alice" not in response.content.decode()
    assert any("0 are selected" in text for text in said(decide(reviewer, "hide", [settled], confirmed=False)))
    assert any("was dismissed" in text for text in said(decide(reviewer, "hide", [settled])))


def test_a_decision_is_a_post_with_a_csrf_token(alice: User, reviewer: User) -> None:
    flagged = flag(alice)
    assert signed_in(reviewer).get(f"{DECIDE}?measure=ban&flag={flagged.pk}&confirmed=yes").status_code == 405
    strict = signed_in(reviewer, enforce_csrf_checks=True)
    assert strict.post(DECIDE, {"measure": "ban", "flag": flagged.pk, "confirmed": "yes"}).status_code == 403
    assert untouched(alice, flagged)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"measure": "promote", "flag": "1"},
        {"measure": "hide"},
        {"measure": "hide", "flag": ["x", "-1", "9" * 30, "1; DROP", "²", ""]},
        {"measure": "hide", "flag": "0", "confirmed": "yes"},
    ],
)
def test_nonsense_is_refused_without_harm(reviewer: User, body: dict[str, Any], quiet_log: None) -> None:
    response = signed_in(reviewer).post(DECIDE, body, follow=True)
    assert response.status_code in (200, 403)


def test_a_flag_that_is_gone_is_said_to_be_gone(reviewer: User) -> None:
    response = signed_in(reviewer).get(f"{QUEUE}4242/change/", follow=True)
    assert any("4242" in text for text in said(response))
