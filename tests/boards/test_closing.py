"""What closing a period gives: each player in range once, with the final ranks or not at all, and nobody else."""

import json
import uuid
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts import privacy
from accounts.models import User
from scoreboard import closing, ledger, periods
from scoreboard.closing import Told
from scoreboard.ledger import Entry
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, FinalStanding, PeriodClosing, PlayerNotice, ScoreHistory
from tests.boards.freezing import freeze, reveal_all
from tests.support.admin_site import admin, signed_in
from tests.support.boards import award, end_period, keep, make, now
from tests.support.client import Api, assert_problem
from tests.support.people import player, players, site_key
from tests.support.processes import eventually
from tests.support.races import at_once, blocking, none_failed

pytestmark = pytest.mark.usefixtures("board", "unlimited")

NOTICES = "/api/v1/me/notices"
PODIUM: dict[str, Any] = {"ranks": [1, 3], "notice": "You made the podium."}
WINNER: dict[str, Any] = {"ranks": [1, 1], "notice": "You have won!", "webhook": True}
WEBHOOK: dict[str, Any] = {"ranks": [2, 3], "webhook": True}


def crowd_on(slug: str = "daily", points: tuple[int, ...] = (9, 8, 7, 6), **rule: Any) -> list[User]:
    """A board, and players on it in the order of their ranks."""
    make(slug, **{"window": "daily", "close": [PODIUM, WINNER, WEBHOOK], **rule})
    crowd = players(len(points))
    for user, more in zip(crowd, points, strict=True):
        award(user, more)
    return crowd


def notices(user: User) -> list[str]:
    return list(PlayerNotice.objects.filter(user=user).order_by("id").values_list("text", flat=True))


def places(**which: Any) -> list[list[Any]]:
    return [place for one in PeriodClosing.objects.filter(**which).order_by("id") for place in one.places]


def ending(slug: str = "daily") -> BoardPeriod:
    """The current period is over now, and not closed yet; none of the boards is kept."""
    at, mine = now(), BoardPeriod.objects.filter(board__slug=slug, closed_at=None, truth=False)
    over, following = mine.order_by("starts_at")[:2]
    BoardPeriod.objects.filter(pk=over.pk).update(ends_at=at)
    BoardPeriod.objects.filter(pk=following.pk).update(starts_at=at)
    return over


def test_players_in_range_are_given_their_notices_and_find_them(api: Api) -> None:
    first, second, third, fourth = crowd_on()
    key, _ = end_period("daily")
    answer = api.get(NOTICES, first)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-store")
    told = [{name: one[name] for name in ("board", "period", "rank", "text")} for one in answer.json()["data"]]
    own = {"board": "daily", "period": key, "rank": 1}
    assert sorted(one["text"] for one in told) == ["You have won!", "You made the podium."]
    assert all({**own, "text": one["text"]} == one for one in told)
    assert [notices(user) for user in (second, third, fourth)] == [[PODIUM["notice"]], [PODIUM["notice"]], []]
    assert api.get(NOTICES, fourth).json()["data"] == []
    assert_problem(api.get(NOTICES), "not-authenticated")
    end_period("daily")  # nobody was on it
    assert PlayerNotice.objects.count() == 4


def test_ones_own_notices_come_in_pages_the_newest_first(api: Api) -> None:
    user = player()
    make("daily", window="daily", close=[PODIUM, WINNER])
    keys = []
    for _ in range(2):
        award(user, 1)
        keys.append(end_period("daily")[0])
    first = api.get(f"{NOTICES}?page_size=3", user).json()
    rest = api.get(first["next"], user).json()
    ids = [one["id"] for one in (*first["data"], *rest["data"])]
    assert (len(ids), ids) == (4, sorted(ids, reverse=True))
    assert [one["period"] for one in (*first["data"], *rest["data"])] == [keys[1]] * 2 + [keys[0]] * 2
    assert rest["next"] is None
    for wrong in ("cursor=x", "page_size=0", "page_size=101", "player=1"):
        assert_problem(api.get(f"{NOTICES}?{wrong}", user), "invalid-request")


def test_webhooks_are_told_each_place_in_range_once() -> None:
    crowd = crowd_on(points=(9, 8, 8, 7), ties="shared", close=[WINNER, {"ranks": [1, 2], "webhook": True}, WEBHOOK])
    period = ending()
    keep()
    [told] = PeriodClosing.objects.all()
    assert (told.board, told.period, told.players, told.piece, told.pieces) == ("daily", period.key, 4, 1, 1)
    ids = [str(user.pk) for user in crowd]
    assert told.places == [[1, ids[0], 9], [2, ids[1], 8], [2, ids[2], 8]]
    period.refresh_from_db()
    assert (told.starts_at, told.ends_at, told.closed_at) == (period.starts_at, period.ends_at, period.closed_at)


def test_a_period_without_players_is_told_all_the_same() -> None:
    make("daily", window="daily", close=[WEBHOOK])
    end_period("daily")
    [told] = PeriodClosing.objects.all()
    assert (told.players, told.places, told.pieces) == (0, [], 1)


def test_many_places_are_told_in_pieces_of_a_thousand() -> None:
    make("daily", window="daily", close=[{"ranks": [2, 100_000], "webhook": True}])
    crowd = players(2002)
    for start in range(0, len(crowd), 500):
        some = enumerate(crowd[start : start + 500], start=start)
        ledger.record(
            [
                Entry(user.pk, uuid.uuid4(), ScoreHistory.Source.AWARD, delta=9000 - place, action_type="LAP")
                for place, user in some
            ]
        )
    end_period("daily")
    told = list(PeriodClosing.objects.order_by("id"))
    assert [(one.piece, one.pieces, one.players, len(one.places)) for one in told] == [
        (1, 3, 2002, 1000),
        (2, 3, 2002, 1000),
        (3, 3, 2002, 1),
    ]
    assert [place[0] for place in places()] == list(range(2, 2003))
    assert [place[1] for place in places()] == [str(user.pk) for user in crowd[1:]]


def test_hidden_and_erased_players_get_nothing_and_are_not_told_to_others() -> None:
    hidden, erased, opted_out, seen = crowd_on()
    User.objects.filter(pk=hidden.pk).update(is_hidden=True)
    User.objects.filter(pk=opted_out.pk).update(opted_out=True)
    privacy.erase(erased.pk)
    end_period("daily")
    assert set(PlayerNotice.objects.values_list("user", "rank")) == {(seen.pk, 1)}
    assert places() == [[1, str(seen.pk), 6]]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_hidden_board_tells_its_players_nothing(api: Api, client: Client, when: str) -> None:
    [winner, *_] = crowd_on(visibility="hidden" if when == "before" else "public")
    end_period("daily")
    if when == "before":
        assert not PlayerNotice.objects.exists()
    Rule.objects.update(visibility="hidden")
    assert api.get(NOTICES, winner).json()["data"] == []
    assert PODIUM["notice"] not in page_of(winner)
    assert len(places()) == 3  # the organiser's own
    assert [one for one in closing.take() if one] == []
    Rule.objects.update(visibility="signed-in")
    assert len(api.get(NOTICES, winner).json()["data"]) == (0 if when == "before" else 2)


def page_of(user: User) -> str:
    answer = signed_in(user).get("/accounts/me")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_players_own_page_shows_them_and_lets_no_markup_in() -> None:
    text = '<script>alert("1")</script> & 🏆 أحسنت'
    [winner, second, *_] = crowd_on(close=[{"ranks": [1, 1], "notice": text}])
    key, _ = end_period("daily")
    page = page_of(winner)
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; 🏆 أحسنت" in page
    assert "<script>alert" not in page
    assert f'href="/?board=daily&amp;period={key}"' in page
    assert "Notices" not in page_of(second)


def test_a_frozen_period_gives_when_it_is_closed_and_not_before() -> None:
    [winner, *others] = crowd_on()
    rule = Rule.objects.get()
    freeze(rule)
    award(others[-1], 100)
    over = BoardPeriod.objects.filter(board=rule, closed_at=None, starts_at__lte=now())
    assert over.update(ends_at=now()) == 2
    keep()
    assert not PlayerNotice.objects.exists()
    assert not PeriodClosing.objects.exists()
    reveal_all(rule)
    keep()
    assert notices(others[-1]) == [PODIUM["notice"], WINNER["notice"]]
    assert notices(winner) == [PODIUM["notice"]]
    assert [place[1] for place in places()][:2] == [str(others[-1].pk), str(winner.pk)]
    assert PeriodClosing.objects.count() == 1


def test_each_part_of_a_board_for_each_value_gives(api: Api) -> None:
    eu, us = player(region="eu"), player(region="us")
    make("region", window="daily", attribute="region", attribute_value="*", close=[WINNER])
    award(eu, 3)
    award(us, 9)
    at = now()
    BoardPeriod.objects.filter(closed_at=None, starts_at__lte=at).update(ends_at=at)
    keep()
    for user, slug in ((eu, "region.eu"), (us, "region.us")):
        assert [(one["board"], one["rank"]) for one in api.get(NOTICES, user).json()["data"]] == [(slug, 1)]
        assert places(board=slug) == [[1, str(user.pk), 3 if user == eu else 9]]


def test_a_change_of_what_closing_gives_counts_nothing_anew_and_holds_from_then_on(api: Api) -> None:
    [winner, *_] = crowd_on(close=[])
    end_period("daily")
    award(winner, 1)
    open_before = set(BoardPeriod.objects.filter(closed_at=None).values_list("pk", flat=True))
    body = json.dumps({"close": [PODIUM]}).encode()
    answer = api.send("PUT", "/api/v1/boards/daily", body, headers=site_key("boards"))
    assert (answer.status_code, answer.json()["data"]["close"]) == (200, [PODIUM])
    assert set(BoardPeriod.objects.filter(closed_at=None).values_list("pk", flat=True)) == open_before
    assert notices(winner) == []
    end_period("daily")
    assert notices(winner) == [PODIUM["notice"]]


def test_a_change_of_the_rule_closes_what_is_over_by_what_was_given_then(api: Api) -> None:
    [winner, *_] = crowd_on(close=[PODIUM])
    ending()
    body = json.dumps({"close": [WINNER], "order": "low"}).encode()
    assert api.send("PUT", "/api/v1/boards/daily", body, headers=site_key("boards")).status_code == 200
    assert notices(winner) == [PODIUM["notice"]]
    assert not PeriodClosing.objects.exists()


def test_periods_that_ended_during_a_pause_give_when_they_are_closed() -> None:
    [winner, *_] = crowd_on()
    rule = Rule.objects.get()
    rule.paused = True
    rule.save()
    ending()
    keep()
    assert not PlayerNotice.objects.exists()
    rule.paused = False
    rule.save()
    keep()
    assert notices(winner) == [PODIUM["notice"], WINNER["notice"]]
    assert len(places()) == 3


def test_two_workers_at_once_give_each_once() -> None:
    [winner, *_] = crowd_on()
    ending()
    none_failed(at_once(4, lambda _: periods.keep()))
    assert notices(winner) == [PODIUM["notice"], WINNER["notice"]]
    assert PeriodClosing.objects.count() == 1


class Killed(Exception):
    pass


def test_a_closing_that_does_not_commit_gives_nothing_and_the_next_gives_all() -> None:
    [winner, *_] = crowd_on()
    period = ending()
    with suppress(Killed), transaction.atomic():
        close(period)
        assert PlayerNotice.objects.exists()
        assert PeriodClosing.objects.exists()
        raise Killed
    assert not PlayerNotice.objects.exists()
    assert not PeriodClosing.objects.exists()
    period.refresh_from_db()
    assert period.closed_at is None
    keep()
    keep()
    assert notices(winner) == [PODIUM["notice"], WINNER["notice"]]
    assert PeriodClosing.objects.count() == 1


def close(period: BoardPeriod) -> None:
    with connection.cursor() as cursor:
        cursor.execute(periods.CLOSE, [period.pk])


def test_a_board_that_is_deleted_while_a_period_is_closed_takes_all_along() -> None:
    crowd_on()
    period = ending()

    def at_the_same_time(number: int) -> None:
        if number:
            eventually(lambda: period_locked(period), "it is being closed")
            Rule.objects.get().delete()
        else:
            with transaction.atomic():
                close(period)
                eventually(blocking, "who deletes waits")

    none_failed(at_once(2, at_the_same_time))
    assert not PlayerNotice.objects.exists()
    assert not FinalStanding.objects.exists()
    assert not BoardPeriod.objects.exists()
    assert PeriodClosing.objects.count() == 1  # it was closed


def period_locked(period: BoardPeriod) -> bool:
    with transaction.atomic():
        return not BoardPeriod.objects.select_for_update(skip_locked=True).filter(pk=period.pk).exists()


def test_a_board_takes_its_notices_along(api: Api) -> None:
    [winner, *_] = crowd_on()
    end_period("daily")
    assert api.send("DELETE", "/api/v1/boards/daily", b"", headers=site_key("boards")).status_code == 204
    assert api.get(NOTICES, winner).json()["data"] == []
    assert not PlayerNotice.objects.exists()


def test_open_pages_are_told_once_and_only_of_those_who_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Told] = []
    monkeypatch.setattr(closing, "_teller", told.extend)
    winner, hidden, *_ = crowd_on(close=[PODIUM])
    ending()
    assert periods.close_ended() == 1
    User.objects.filter(pk=hidden.pk).update(is_hidden=True)
    monkeypatch.setattr(closing, "AT_ONCE", 2)
    counts = none_failed(at_once(3, lambda _: closing.tell()))
    assert sum(counts) == 3
    assert len(told) == len({one.user_id for one in told}) == 2
    key = BoardPeriod.objects.get(closed_at__isnull=False).key
    assert Told(winner.pk, "daily", key, 1, PODIUM["notice"]) in told
    assert hidden.pk not in {one.user_id for one in told}
    assert closing.tell() == 0


def test_notices_are_exported_with_the_player_and_erased_with_the_player() -> None:
    winner, second, *_ = crowd_on()
    end_period("daily")
    exported = privacy.export(winner)["notices"]
    assert [(one["board"], one["rank"], one["text"]) for one in exported] == [
        ("daily", 1, PODIUM["notice"]),
        ("daily", 1, WINNER["notice"]),
    ]
    kept = {(one["board"], one["rank"], one["points"]) for one in privacy.export(winner)["final_ranks"]}
    assert kept == {("daily", 1, winner.score.total)}
    Rule.objects.update(visibility=Rule.Visibility.HIDDEN)
    assert privacy.export(winner)["final_ranks"] == []
    privacy.erase(winner.pk)
    assert (notices(winner), notices(second)) == ([], [PODIUM["notice"]])


WRONG: dict[str, Any] = {
    "no list": {"ranks": [1, 3], "notice": "x"},
    "null": None,
    "too many": [PODIUM] * 11,
    "no object": ["podium"],
    "another field": [{**PODIUM, "mail": True}],
    "no ranks": [{"notice": "x"}],
    "nothing given": [{"ranks": [1, 3]}],
    "nothing at all given": [{"ranks": [1, 3], "webhook": False}],
    "one rank": [{**PODIUM, "ranks": [1]}],
    "a rank alone": [{**PODIUM, "ranks": 1}],
    "from zero": [{**PODIUM, "ranks": [0, 3]}],
    "turned round": [{**PODIUM, "ranks": [3, 1]}],
    "text": [{**PODIUM, "ranks": ["1", "3"]}],
    "a fraction": [{**PODIUM, "ranks": [1, 3.0]}],
    "a boolean": [{**PODIUM, "ranks": [True, 3]}],
    "too far": [{**PODIUM, "ranks": [1, 100_001]}],
    "huge": [{**PODIUM, "ranks": [1, 10**30]}],
    "an empty notice": [{**PODIUM, "notice": " "}],
    "no notice": [{**PODIUM, "notice": None}],
    "a long notice": [{**PODIUM, "notice": "x" * 201}],
    "two lines": [{**PODIUM, "notice": "You have\nwon."}],
    "a bell": [{**PODIUM, "notice": "x\a"}],
    "webhook as text": [{**WEBHOOK, "webhook": "true"}],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_closing_cannot_give_is_refused_and_named(api: Api, wrong: str) -> None:
    make("daily", window="daily", close=[PODIUM])
    body = json.dumps({"close": WRONG[wrong]}).encode()
    answer = api.send("PUT", "/api/v1/boards/daily", body, headers=site_key("boards"))
    assert list(assert_problem(answer, "invalid-request")["errors"]) == ["close"]
    assert Rule.objects.get().close == [PODIUM]


def test_the_last_that_can_be_given(api: Api) -> None:
    most = [{"ranks": [1, 100_000], "notice": "é" * 199 + "🏆", "webhook": False}] * 10
    answer = api.post("/api/v1/boards", {"slug": "a", "title": "A", "close": most}, headers=site_key("boards"))
    assert (answer.status_code, answer.json()["data"]["close"]) == (201, most)


def test_admin_takes_the_same_and_says_what_is_wrong() -> None:
    make("daily", window="daily")
    rule, organiser = Rule.objects.get(), signed_in(admin())
    page = f"/admin/scoreboard/board/{rule.pk}/change/"
    typed = {"title": "Daily", "visibility": "public", "window": "daily", "zone": "UTC", "value": "sum"}
    typed |= {"order": "high", "ties": "earliest", "entry": "open"}
    for said, saved in ((json.dumps([PODIUM]), [PODIUM]), ("", [])):
        assert organiser.post(page, {**typed, "close": said}).status_code == 302
        rule.refresh_from_db()
        assert rule.close == saved
    for wrong in ("{", '[{"ranks": [3, 1], "notice": "x"}]', "5", "null1"):
        answer = organiser.post(page, {**typed, "close": wrong})
        assert list(answer.context["adminform"].form.errors) == ["close"], wrong
