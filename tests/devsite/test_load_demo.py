"""`manage.py load_demo`: something to look at in an empty database, and never a known password beside real people."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from accounts import api_keys, sign_in
from accounts.models import ApiKey, SignIn, User
from accounts.names import validate_username
from devsite import demo_key
from devsite.players import people
from devsite.players.password import shared_password
from leaderboard import boards, ranking, truth
from leaderboard.boards import Board
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, FinalStanding, ScoreHistory, UserScore
from tests.support.boards import award, keep, recounted
from tests.support.people import player
from tests.support.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def home(settings: Settings, tmp_path: Path) -> Path:
    """For the players' password."""
    settings.SCOREBOARD_HOME = tmp_path
    return tmp_path


def test_the_documented_accounts_can_sign_in_with_their_roles() -> None:
    call_command("load_demo")
    for name, role, staff in (("admin", "admin", True), ("mod", "moderator", False), ("alice", "player", False)):
        user = authenticate(username=name, password=f"{name}-demo")
        assert isinstance(user, User)
        assert (user.role, user.is_staff, user.is_superuser) == (role, staff, staff)


def test_every_account_is_one_that_the_forms_would_accept() -> None:
    call_command("load_demo")
    assert User.objects.count() == len(people.PLAYERS) + len(people.ACCOUNTS)
    for user in User.objects.all():
        user.full_clean()


def test_the_players_password_and_key_are_random_and_kept_in_the_home_alone(home: Path) -> None:
    call_command("load_demo")
    assert sorted(path.name for path in home.iterdir()) == ["demo_key", "demo_password"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}
    assert len(shared_password(home)) == 34
    for name, _, _, _ in people.PLAYERS[:3]:
        assert authenticate(username=name, password=shared_password(home))


def test_the_key_ends_with_the_demo(home: Path) -> None:
    call_command("prepare", demo=True)
    text = demo_key.read(home)
    assert api_keys.find(text)
    call_command("prepare")
    assert not api_keys.find(text)
    call_command("prepare", demo=True)
    assert api_keys.find(demo_key.read(home))


def test_every_name_that_demo_players_may_take_is_one_that_the_forms_accept() -> None:
    names = [people.username(number) for number in range(3 * len(people.PLAYERS))]
    assert len(set(names)) == len(names)
    for name in names:
        validate_username(name)


def test_every_player_has_an_avatar_of_their_own_which_the_site_serves(client: Client) -> None:
    call_command("load_demo")
    urls = [user.avatar_url for user in User.objects.exclude(username__in=["admin", "mod"])]
    assert len(set(urls)) == len(urls) == len(people.PLAYERS) + 1
    for url in urls:
        path = url.removeprefix("http://127.0.0.1:8000")
        response = client.get(path)
        assert (response.status_code, response["Content-Type"]) == (200, "image/svg+xml")
        assert b"<script" not in response.getvalue()


@pytest.mark.django_db(transaction=True)
def test_avatars_follow_the_address_of_the_site_and_a_players_own_stays(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "8000")
    call_command("load_demo")
    first, second = (name for name, _, _, _ in people.PLAYERS[:2])
    User.objects.filter(username=second).update(avatar_url="https://example.org/own.png")
    monkeypatch.setenv("PORT", "8001")
    call_command("load_demo")
    shown = {row.username: row.avatar or "" for row in ranking.top(board, 100).rows}
    assert shown[first].startswith("http://127.0.0.1:8001/static/demo/avatars/")
    assert User.objects.get(username=second).avatar_url == "https://example.org/own.png"
    assert not User.objects.filter(avatar_url__contains=":8000/").exists()


def test_totals_are_those_of_the_list_and_the_sums_of_their_histories() -> None:
    call_command("load_demo")
    totals = dict(UserScore.objects.filter(total__gt=0).values_list("user__username", "total"))
    assert totals == {name: total for name, _, total, _ in people.PLAYERS} | {"alice": 64}
    sums = ScoreHistory.objects.values_list("user__username").annotate(Sum("delta"))
    assert dict(sums) == totals


@pytest.mark.django_db(transaction=True)
def test_its_boards_are_ready_at_once_and_count_the_same_points(board: Board) -> None:
    call_command("load_demo")
    boards.forget()
    kept = {one.slug for one in boards.everyone() if one.part in ("", "eu")}
    assert kept == {"global", "final", "opening", "region.eu", "weekly"}
    europe = sorted(total for _, region, total, _ in people.PLAYERS if region == "EU")
    assert sorted(row.score for row in truth.top(boards.get("region.eu"), 100).rows) == sorted([*europe, 64])
    for slug in ("weekly", "opening", "final"):
        totals = sorted(row.score for row in truth.top(boards.get(slug), 100).rows)
        assert totals == sorted([64, *(total for _, _, total, _ in people.PLAYERS)])


@pytest.mark.django_db(transaction=True)
def test_the_opening_minute_ends_with_final_ranks_that_its_history_bears_out(board: Board) -> None:
    call_command("load_demo")
    period = BoardPeriod.objects.get(board__slug="opening")
    assert period.starts_at
    assert period.ends_at
    assert (period.ends_at - period.starts_at).total_seconds() == pytest.approx(60, abs=1)
    BoardPeriod.objects.filter(pk=period.pk).update(ends_at=timezone.now())
    period.refresh_from_db()
    keep()
    final = FinalStanding.objects.filter(period=period).order_by("rank")
    assert [(one.user_id, one.points) for one in final] == [(line.user_id, line.score) for line in recounted(period)]
    assert final.count() == len(people.PLAYERS) + 1


@pytest.mark.django_db(transaction=True)
def test_the_final_is_frozen_after_a_minute_and_counts_on(board: Board) -> None:
    call_command("load_demo")
    rule = Rule.objects.get(slug="final")
    assert rule.freeze_at
    assert rule.opens_at
    Rule.objects.filter(pk=rule.pk).update(
        opens_at=rule.opens_at - timedelta(minutes=2), freeze_at=rule.freeze_at - timedelta(minutes=1, seconds=1)
    )
    keep()
    late = User.objects.get(username="alice")
    award(late, 5)
    frozen = boards.get("final")
    assert frozen.frozen_at
    shown = {row.username: row.score for row in truth.top(frozen, 100).rows}
    true = {row.username: row.score for row in truth.top(boards.truth("final"), 100).rows}
    assert true["alice"] - shown.get("alice", 0) >= 5


def test_boards_are_added_once_and_without_the_demo_there_are_none() -> None:
    call_command("prepare")
    assert not Rule.objects.exists()
    call_command("load_demo")
    Rule.objects.filter(slug="region").delete()
    call_command("load_demo")
    assert list(Rule.objects.values_list("slug", flat=True)) == ["final", "opening", "weekly"]


@pytest.mark.django_db(transaction=True)
def test_an_open_board_shows_them_at_once(board: Board) -> None:
    call_command("load_demo")
    rows = ranking.top(board, 3).rows
    assert [(row.username, row.score) for row in rows] == [(name, total) for name, _, total, _ in people.PLAYERS[:3]]


def test_a_second_load_is_three_queries_and_changes_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    call_command("load_demo")
    admin = User.objects.get(username="admin")
    admin.set_password("a secret of my own")
    admin.save()
    User.objects.filter(username=people.PLAYERS[0][0]).update(username="Renamed", is_hidden=True)
    history = ScoreHistory.objects.count()
    with django_assert_num_queries(3):  # the people, the key, and that it was used
        call_command("load_demo")
    assert ApiKey.objects.count() == 1
    assert ScoreHistory.objects.count() == history
    assert authenticate(username="admin", password="a secret of my own")
    assert not User.objects.filter(username=people.PLAYERS[0][0]).exists()


def test_the_documented_passwords_are_good_while_the_demo_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prepare", demo=True)
    mod = User.objects.get(username="mod")
    mod.set_password("a secret of my own")
    mod.save()
    access = sign_in.start(User.objects.get(username="alice"))
    call_command("prepare")
    assert "The documented passwords of admin, alice are off" in capsys.readouterr().out
    assert [authenticate(username=name, password=f"{name}-demo") for name in ("admin", "mod", "alice")] == [None] * 3
    assert authenticate(username="mod", password="a secret of my own")
    assert not SignIn.objects.filter(user__username="alice", ended_at=None).exists(), access
    call_command("prepare")
    assert capsys.readouterr().out == ""
    call_command("prepare", demo=True)
    assert authenticate(username="admin", password="admin-demo")
    assert authenticate(username="alice", password="alice-demo")
    assert authenticate(username="mod", password="mod-demo") is None


def test_people_who_joined_the_demo_since_do_not_stop_a_later_start() -> None:
    call_command("load_demo")
    player("newcomer")
    call_command("load_demo")
    assert User.objects.filter(username="newcomer").exists()


def test_a_database_with_other_people_is_refused_and_left_alone() -> None:
    player("somebody")
    with pytest.raises(CommandError, match="not from the demo"):
        call_command("load_demo")
    assert list(User.objects.values_list("username", flat=True)) == ["somebody"]


def test_a_site_behind_https_is_refused(settings: Settings) -> None:
    settings.HTTPS = True
    with pytest.raises(CommandError, match="HTTPS"):
        call_command("load_demo")
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_loads_at_one_moment_load_once() -> None:
    assert at_once(2, lambda _: call_command("load_demo")) == [None, None]
    assert User.objects.count() == len(people.PLAYERS) + len(people.ACCOUNTS)
