"""Adjusting scores in admin: asked, shown, confirmed, recorded once, with a reason and a name."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import signing
from django.test import Client

from accounts.models import User
from accounts.visibility import set_hidden
from leaderboard import ranking
from leaderboard.boards import Board
from scoreboard import adjustments
from scoreboard.admin import adjust
from scoreboard.models import MAX_TOTAL, ScoreHistory, UserScore
from tests.support.admin_site import (
    ADJUST,
    USERS,
    act,
    admin,
    confirm,
    ids,
    preview,
    said,
    signed_in,
    superuser,
)
from tests.support.people import give, player, players
from tests.support.races import at_once

pytestmark = pytest.mark.django_db


def total(user: User) -> int:
    score = UserScore.objects.filter(pk=user.pk).first()
    return score.total if score else 0


def adjusted(user: User) -> list[ScoreHistory]:
    """The history rows that admin made; the tests' own carry another reason."""
    return list(ScoreHistory.objects.filter(user=user).exclude(reason="test").order_by("id"))


def test_a_preview_shows_old_and_new_and_changes_nothing(admin_site: Client, alice: User) -> None:
    give(alice, 100)
    page = preview(admin_site, [alice], delta="-30")
    [row] = page.context["rows"]
    assert (row["player"], row["line"].old, row["line"].new) == (alice, 100, 70)
    assert b"counted twice" in page.content
    assert adjusted(alice) == []


def test_a_confirmed_change_is_recorded_with_reason_actor_and_log_entry(
    admin_site: Client, root: User, alice: User
) -> None:
    give(alice, 100)
    answer = confirm(admin_site, preview(admin_site, [alice], delta="-30"))
    assert said(answer) == ["alice: 100 → 70."]
    [row] = adjusted(alice)
    assert (row.source, row.delta, row.old_total, row.new_total) == ("adjustment", -30, 100, 70)
    assert (row.reason, row.actor) == ("counted twice", root)
    log = LogEntry.objects.get(object_id=str(alice.pk))
    assert (log.user, log.get_change_message()) == (root, "Score 100 → 70 (-30): counted twice")


def test_a_new_total_is_set(admin_site: Client, alice: User) -> None:
    give(alice, 100)
    confirm(admin_site, preview(admin_site, [alice], target="7"))
    assert total(alice) == 7


def test_a_player_without_a_score_starts_at_nothing(admin_site: Client, alice: User) -> None:
    [row] = preview(admin_site, [alice], delta="5").context["rows"]
    assert row["line"].old == 0
    confirm(admin_site, preview(admin_site, [alice], delta="5"))
    assert total(alice) == 5


@pytest.mark.django_db(transaction=True)
def test_viewers_see_it_at_once(board: Board, root: User, alice: User, bob: User) -> None:
    give(alice, 10)
    give(bob, 20)
    site = signed_in(root)
    confirm(site, preview(site, [alice], delta="15"))
    assert [(row.username, row.score) for row in ranking.top(board, 10).rows] == [("alice", 25), ("bob", 20)]


def test_confirming_twice_records_once_and_says_so(admin_site: Client, alice: User) -> None:
    give(alice, 100)
    page = preview(admin_site, [alice], delta="50")
    confirm(admin_site, page)
    again = confirm(admin_site, page)
    assert said(again) == ["This adjustment was recorded before; it was not recorded again."]
    assert len(adjusted(alice)) == 1
    assert LogEntry.objects.filter(object_id=str(alice.pk)).count() == 1


def test_confirming_a_new_total_twice_records_once_even_if_the_total_moved_on(admin_site: Client, alice: User) -> None:
    give(alice, 100)
    page = preview(admin_site, [alice], target="7")
    confirm(admin_site, page)
    give(alice, 3)
    confirm(admin_site, page)
    assert total(alice) == 10


@pytest.mark.django_db(transaction=True)
def test_eight_confirmations_at_one_moment_record_once(root: User, alice: User) -> None:
    give(alice, 100)
    page = preview(signed_in(root), [alice], delta="50")
    clients = [signed_in(root) for _ in range(8)]
    answers = at_once(8, lambda number: clients[number].post(ADJUST, {"plan": page.context["plan"]}).status_code)
    assert answers == [302] * 8
    assert total(alice) == 150
    assert LogEntry.objects.filter(object_id=str(alice.pk)).count() == 1


def test_two_equal_adjustments_are_two(admin_site: Client, alice: User) -> None:
    for _ in range(2):
        confirm(admin_site, preview(admin_site, [alice], delta="5"))
    assert total(alice) == 10


def test_a_new_total_is_shown_again_when_the_old_one_moved(admin_site: Client, alice: User) -> None:
    give(alice, 100)
    page = preview(admin_site, [alice], target="500")
    give(alice, 900)
    again = confirm(admin_site, page)
    assert said(again) == ["A total has changed since the preview. Nothing was changed; look again."]
    [row] = again.context["rows"]
    assert (row["line"].old, row["line"].new) == (1000, 500)
    assert total(alice) == 1000
    confirm(admin_site, again)
    assert total(alice) == 500


def test_one_moved_total_holds_all_of_them_back(admin_site: Client, alice: User, bob: User) -> None:
    give(alice, 1)
    give(bob, 2)
    page = preview(admin_site, [alice, bob], target="50")
    give(bob, 1)
    confirm(admin_site, page)
    assert (total(alice), total(bob)) == (1, 3)
    assert not LogEntry.objects.exists()


def test_a_delta_applies_to_the_total_of_the_moment(admin_site: Client, alice: User) -> None:
    give(alice, 100)
    page = preview(admin_site, [alice], delta="-30")
    give(alice, 5)
    confirm(admin_site, page)
    assert total(alice) == 75


def test_out_of_range_is_shown_and_the_others_can_be_confirmed(admin_site: Client, alice: User, bob: User) -> None:
    give(alice, 10)
    give(bob, 100)
    page = preview(admin_site, [alice, bob], delta="-50")
    assert [row["line"].in_range for row in page.context["rows"]] == [False, True]
    confirm(admin_site, page)
    assert (total(alice), total(bob)) == (10, 50)


def test_what_leaves_the_range_between_preview_and_confirmation_is_refused(admin_site: Client, alice: User) -> None:
    give(alice, 50)
    page = preview(admin_site, [alice], delta="-50")
    give(alice, -1)
    answer = confirm(admin_site, page)
    assert said(answer) == ["alice: not changed, the total would leave its range."]
    assert total(alice) == 49
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("fields", [{"delta": "-11"}, {"target": "10"}, {"delta": str(MAX_TOTAL)}])
def test_a_plan_that_changes_nobody_has_no_confirmation(
    admin_site: Client, alice: User, fields: dict[str, str]
) -> None:
    give(alice, 10)
    page = preview(admin_site, [alice], **fields)
    assert b"Nothing can be changed this way" in page.content
    assert b'name="plan"' not in page.content


def test_the_list_action_leads_to_one_adjustment_of_all_selected(admin_site: Client, alice: User, bob: User) -> None:
    page = act(admin_site, "adjust_scores", [alice, bob])
    assert page.templates[0].name == "admin/scoreboard/adjust_ask.html"
    confirm(admin_site, preview(admin_site, [alice, bob], delta="5"))
    [one], [two] = adjusted(alice), adjusted(bob)
    assert one.action_id == two.action_id


def test_hundreds_are_recorded_by_one_call(
    admin_site: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    people = players(300)
    page = preview(admin_site, people, delta="5")
    with django_assert_max_num_queries(20):
        confirm(admin_site, page)
    assert UserScore.objects.filter(total=5).count() == 300


def test_too_many_are_refused(admin_site: Client) -> None:
    people = players(adjustments.MAX_PLAYERS + 1)
    assert said(act(admin_site, "adjust_scores", everyone=True)) == ["At most 1000 players can be adjusted at once."]
    assert preview(admin_site, people, delta="5")["Location"] == USERS
    assert "plan" in preview(admin_site, people[:-1], delta="5").context


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "__all__"),
        ({"delta": "5", "target": "5"}, "__all__"),
        ({"delta": "0"}, "delta"),
        ({"delta": "1e3"}, "delta"),
        ({"delta": "1.5"}, "delta"),
        ({"delta": str(2**53)}, "delta"),
        ({"delta": "9" * 5000}, "delta"),
        ({"target": "-1"}, "target"),
        ({"target": str(2**53)}, "target"),
        ({"target": "NaN"}, "target"),
        ({"delta": "5", "reason": ""}, "reason"),
        ({"delta": "5", "reason": "   \n "}, "reason"),
        ({"delta": "5", "reason": "x" * 501}, "reason"),
        ({"delta": "5", "reason": "a\0b"}, "reason"),
    ],
)
def test_a_form_that_makes_no_sense_is_shown_with_its_error(
    admin_site: Client, alice: User, fields: dict[str, str], field: str
) -> None:
    page = preview(admin_site, [alice], **fields)
    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert "plan" not in page.context


@pytest.mark.parametrize("wrong", ["", "x", "1,2", "%00", "'", "00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_ids_of_nobody_lead_back_to_the_list(admin_site: Client, wrong: str, method: str) -> None:
    answer = getattr(admin_site, method)(ADJUST, {"ids": wrong, "delta": "5", "reason": "x"})
    assert (answer.status_code, answer["Location"]) == (302, USERS)


def test_an_altered_plan_changes_nothing(admin_site: Client, alice: User) -> None:
    plan = preview(admin_site, [alice], delta="5").context["plan"]
    for wrong in (plan[:-1], plan[1:], "", "x", "a:b:c", signing.dumps({"actor": "x"})):
        answer = admin_site.post(ADJUST, {"plan": wrong}, follow=True)
        assert "Nothing was changed" in said(answer)[0]
    assert adjusted(alice) == []


def test_a_plan_expires(admin_site: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    page = preview(admin_site, [alice], delta="5")
    monkeypatch.setattr(adjust, "PLAN_SECONDS", -1)
    assert "expired" in said(confirm(admin_site, page))[0]
    assert adjusted(alice) == []


def test_a_plan_of_another_admin_cannot_be_confirmed(admin_site: Client, alice: User) -> None:
    page = preview(admin_site, [alice], delta="5")
    other = signed_in(superuser("other"))
    assert "not yours" in said(confirm(other, page))[0]
    assert adjusted(alice) == []


def test_csrf_guards_the_confirmation(root: User, alice: User) -> None:
    strict = signed_in(root, enforce_csrf_checks=True)
    page = preview(signed_in(root), [alice], delta="5")
    assert strict.post(ADJUST, {"plan": page.context["plan"]}).status_code == 403
    assert adjusted(alice) == []


def test_an_admin_by_role_adjusts_players_but_neither_admins_nor_themselves(alice: User) -> None:
    ada = admin()
    site = signed_in(ada)
    page = preview(site, [alice, ada, superuser()], delta="5")
    assert [row["player"] for row in page.context["rows"]] == [alice]
    assert page.context["left_out"] == 2
    confirm(site, page)
    assert total(alice) == 5
    assert total(ada) == 0


def test_whoever_became_an_admin_meanwhile_is_out_of_reach(alice: User) -> None:
    site = signed_in(admin())
    page = preview(site, [alice], delta="5")
    alice.role = User.Role.ADMIN
    alice.save()
    assert site.post(ADJUST, {"plan": page.context["plan"]}).status_code == 403
    assert adjusted(alice) == []


def test_others_do_not_get_in(alice: User) -> None:
    site = signed_in(player("eve"))
    for answer in (site.get(ADJUST, {"ids": ids([alice])}), preview(site, [alice], delta="5")):
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")
    site = signed_in(player("mo", role=User.Role.MODERATOR))
    for answer in (site.get(ADJUST, {"ids": ids([alice])}), preview(site, [alice], delta="5")):
        assert answer.status_code == 403


def test_staff_without_the_permission_is_refused(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.roles.PERMISSIONS", {"admin": frozenset({"accounts.change_user"})})
    site = signed_in(admin())
    assert site.get(ADJUST, {"ids": ids([alice])}).status_code == 403
    assert preview(site, [alice], delta="5").status_code == 403
    assert b"adjust_scores" not in site.get(USERS).content


def test_a_hidden_player_is_adjusted_without_reappearing(admin_site: Client, alice: User) -> None:
    give(alice, 10)
    set_hidden([alice.pk], hidden=True)
    confirm(admin_site, preview(admin_site, [alice], delta="5"))
    assert total(alice) == 15
    assert User.objects.get(pk=alice.pk).is_hidden


def test_a_preview_names_each_player_once_and_no_stranger(admin_site: Client, alice: User) -> None:
    page = preview(admin_site, [alice, alice, User()], delta="1")
    assert [row["line"].user_id for row in page.context["rows"]] == [alice.pk]


def test_everything_that_is_wrong_with_the_form_is_told_at_once(alice: User) -> None:
    answer = preview(signed_in(admin()), [alice], reason="")
    assert sorted(answer.context["form"].errors) == ["__all__", "reason"]
    answer = preview(signed_in(admin("bea")), [alice], reason="", delta="0")
    assert sorted(answer.context["form"].errors) == ["delta", "reason"]
