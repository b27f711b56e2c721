"""A bonus or an adjustment that names boards counts on exactly those, and in the total; one that names none as ever."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from leaderboard import boards, ranking, reconcile
from leaderboard.boards import Board
from scoreboard import approvals, ledger, periods
from scoreboard.ledger import Entry
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, Bonus, ScoreHistory, UserScore
from tests.support.admin_site import admin, confirm, preview, said, signed_in
from tests.support.boards import award, in_sql, keep, make, recounted
from tests.support.client import Api, assert_problem
from tests.support.people import player, site_key
from tests.support.races import at_once, none_failed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

BONUS = "/api/v1/score/bonus"


@pytest.fixture
def three(board: Board) -> None:
    """Two of a week, and one of all time."""
    for slug, rule in {"weekly": {"window": "weekly"}, "cup": {"window": "weekly"}, "ever": {}}.items():
        make(slug, **rule)


def ask(who: User | dict[str, str], to: User, named: Any = None, points: int = 10, key: str = "") -> Any:
    body = {"user_id": str(to.pk), "points": points, "reason": "won the cup"}
    headers = {"Idempotency-Key": key or uuid.uuid4().hex, **(who if isinstance(who, dict) else {})}
    return Api().post(
        BONUS, body if named is None else {**body, "boards": named}, who if isinstance(who, User) else None, headers
    )


def scores(*slugs: str) -> list[int]:
    """Of the one player there is on each, 0 where there is none; in SQL, in Redis and recounted, which agree."""
    boards.forget()
    found = []
    for slug in slugs:
        board = boards.get(slug)
        lines = in_sql(board)
        assert lines == recounted(BoardPeriod.objects.select_related("board").get(pk=board.id))
        assert reconcile.reconcile(board, check=True).drift == 0
        assert [row.score for row in ranking.top(board, 10).rows] == [line.score for line in lines]
        found.append(lines[0].score if lines else 0)
    return found


def total(user: User) -> int:
    return UserScore.objects.get(user=user).total


def rebuilt(*slugs: str) -> None:
    for slug in slugs:
        reconcile.reconcile(boards.get(slug))


@pytest.mark.usefixtures("three")
def test_it_counts_on_the_boards_it_names_and_in_the_total_alone(mod: User, alice: User) -> None:
    rebuilt("weekly", "cup", "ever")
    assert ask(mod, alice, ["weekly"]).status_code == 200
    assert (scores("weekly", "cup", "ever"), total(alice)) == ([10, 0, 0], 10)
    assert ask(mod, alice, points=5).status_code == 200
    assert (scores("weekly", "cup", "ever"), total(alice)) == ([10, 0, 5], 15)
    assert ask(mod, alice, ["cup", "ever"], points=3).status_code == 200
    assert (scores("weekly", "cup", "ever"), total(alice)) == ([10, 3, 8], 18)
    for rule in Rule.objects.all():  # counted anew
        rule.paused = True
        rule.save()
        rule.paused = False
        rule.save()
    keep()
    rebuilt("weekly", "cup", "ever")
    assert scores("weekly", "cup", "ever") == [10, 3, 8]


def test_on_a_board_of_each_value_it_counts_on_the_player_s_own_part(mod: User, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(region="eu")
    player("us", region="us")
    make("region", window="daily", attribute="region", attribute_value="*")
    rebuilt("region.eu", "region.us")
    assert_problem(ask(mod, alice, ["region.eu"]), "invalid-request")
    assert ask(mod, alice, ["region"]).status_code == 200
    assert scores("region.eu", "region.us") == [10, 0]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "named",
    [
        [],
        ["global"],
        ["nothing"],
        ["weekly", "weekly"],
        ["weekly", "nothing"],
        ["best"],
        ["laps"],
        ["awards"],
        ["later"],
        ["over"],
        ["secret"],
        ["paused"],
        ["We ekly"],
        ["x" * 33],
        [f"b{number}" for number in range(11)],
        "weekly",
        {"weekly": 1},
        [None],
        [7],
        [["weekly"]],
        7,
    ],
)
def test_boards_it_cannot_name_are_a_400_of_that_field_and_pay_nothing(alice: User, named: Any) -> None:
    hour = timedelta(hours=1)
    now = timezone.now()
    make("best", value="best")
    make("laps", action_types=["LAP"])
    make("awards", sources=["award"])
    make("later", opens_at=now + hour)
    make("over", opens_at=now - 2 * hour, closes_at=now - hour)
    make("secret", visibility="hidden")
    make("paused", paused=True)
    problem = assert_problem(ask(site_key("bonus"), alice, named), "invalid-request")
    assert {name.partition(".")[0] for name in problem["errors"]} == {"boards"}
    assert (total(alice), Bonus.objects.count(), ScoreHistory.objects.count()) == (0, 0, 0)


def test_a_hidden_board_is_there_for_staff_and_for_keys_that_may_know_of_it(api: Api, mod: User, alice: User) -> None:
    make("secret", visibility="hidden")
    unknown = assert_problem(ask(site_key("bonus"), alice, ["secret"]), "invalid-request")
    nothing = assert_problem(ask(site_key("bonus"), alice, ["secrex"]), "invalid-request")
    assert str(unknown["errors"]).replace("secret", "secrex") == str(nothing["errors"])
    for who in (mod, site_key("bonus", "read"), site_key("bonus", "boards")):
        assert ask(who, alice, ["secret"]).status_code == 200
    path = f"/api/v1/score/{alice.pk}/history"
    assert {str(entry["boards"]) for entry in api.get(path, alice).json()["data"]} == {"[]"}
    assert {str(entry["boards"]) for entry in api.get(path, mod).json()["data"]} == {"['secret']"}


@pytest.mark.usefixtures("three")
def test_a_repeat_is_the_same_only_with_the_same_boards(mod: User, alice: User) -> None:
    first = ask(mod, alice, ["weekly", "cup"], key="k-1")
    assert (first.status_code, ask(mod, alice, ["cup", "weekly"], key="k-1").status_code) == (200, 200)
    for other in (None, ["weekly"], ["weekly", "ever"]):
        original = assert_problem(ask(mod, alice, other, key="k-1"), "id-reused")["original"]
        assert original["boards"] == ["cup", "weekly"]
    Rule.objects.get(slug="cup").delete()
    assert ask(mod, alice, ["weekly", "cup"], key="k-1").json()["data"] == first.json()["data"]
    assert total(alice) == 10


@pytest.mark.usefixtures("three")
def test_one_that_waits_keeps_the_boards_it_named_and_not_those_that_took_their_slugs(
    settings: Settings, mod: User, alice: User
) -> None:
    settings.BONUS_DAILY = 5
    assert ask(mod, alice, ["weekly", "cup"]).status_code == 202
    Rule.objects.get(slug="cup").delete()
    make("cup", window="weekly")
    rebuilt("weekly", "cup", "ever")
    approvals.approve(Bonus.objects.get().pk, admin())
    assert (scores("weekly", "cup", "ever"), total(alice)) == ([10, 0, 0], 10)


@pytest.mark.usefixtures("three")
def test_a_correction_belongs_where_the_bonus_did(mod: User, alice: User) -> None:
    rebuilt("weekly", "cup", "ever")
    award(alice, 1)
    assert ask(mod, alice, ["weekly"]).status_code == 200
    assert scores("weekly", "cup", "ever") == [11, 1, 1]
    given = ScoreHistory.objects.get(source="bonus")
    back = Entry(alice.pk, uuid.uuid4(), ScoreHistory.Source.CORRECTION, -4, reverses=given.pk)
    ledger.announce(outcome.standing for outcome in ledger.record([back]))
    assert scores("weekly", "cup", "ever") == [7, 1, 1]


@pytest.mark.usefixtures("three")
def test_an_adjustment_in_admin_names_boards_too(alice: User) -> None:
    rebuilt("weekly", "cup", "ever")
    award(alice, 10)
    site = signed_in(admin())
    shown = preview(site, [alice], delta="-4", boards=["weekly"])
    assert "weekly" in shown.content.decode()
    confirm(site, shown)
    assert (scores("weekly", "cup", "ever"), total(alice)) == ([6, 10, 10], 6)
    make("best", value="best")
    wrong = preview(site, [alice], delta="1", boards=["best"])
    assert "best" in str(wrong.context["form"].errors["boards"])


@pytest.mark.usefixtures("three")
def test_a_moderator_names_boards_on_the_page_that_gives(mod: User, alice: User) -> None:
    rebuilt("weekly", "cup", "ever")
    site, page = signed_in(mod), f"/admin/players/{alice.pk}/"
    form = site.get(page).context["form"]
    body = {"key": str(form["key"].value()), "points": "7", "reason": "helped", "boards": ["cup"]}
    assert said(site.post(page, body, follow=True)) == ["alice has 7 points more."]
    assert (scores("weekly", "cup", "ever"), total(alice)) == ([0, 7, 0], 7)


@pytest.mark.usefixtures("three")
def test_history_and_file_tell_the_slugs_that_still_exist(api: Api, mod: User, alice: User) -> None:
    ask(mod, alice, ["weekly", "cup"])
    ask(mod, alice)
    path = f"/api/v1/score/{alice.pk}/history"
    assert [entry["boards"] for entry in api.get(path, alice).json()["data"]] == [None, ["cup", "weekly"]]
    Rule.objects.get(slug="cup").delete()
    assert [entry["boards"] for entry in api.get(path, alice).json()["data"]] == [None, ["weekly"]]
    answer = signed_in(admin()).get("/api/v1/exports/history.csv")
    lines = b"".join(answer).decode().splitlines()
    place = lines[0].split(",").index("boards")
    assert [line.split(",")[place] for line in lines[1:]] == ["weekly", ""]


@pytest.mark.parametrize("what", ["delete", "pause", "recount", "fill"])
def test_a_board_that_changes_at_the_same_moment(mod: User, alice: User, what: str) -> None:
    """Whichever comes first: afterwards the board is a plain recount, and every bonus is paid."""
    rule = make("weekly", window="weekly")
    calls = 6

    def one(number: int) -> int:
        if number < calls - 1:
            return int(ask(mod, alice, ["weekly"], points=1).status_code)
        mine = Rule.objects.get(pk=rule.pk)
        if what == "delete":
            mine.delete()
        elif what == "pause":
            mine.paused = True
            mine.save()
        elif what == "recount":
            mine.zone = "Asia/Tokyo"
            mine.save()
        periods.keep()
        return 200

    results = none_failed(at_once(calls, one))
    paid = results.count(200) - 1
    assert set(results) <= {200, 400}
    assert total(alice) == paid == ScoreHistory.objects.count()
    if what == "delete":
        periods.purge_stray()
        assert not BoardPeriod.objects.exists()
        return
    Rule.objects.filter(paused=True).update(paused=False)
    keep()
    rebuilt("weekly")
    assert scores("weekly") == [paid]
