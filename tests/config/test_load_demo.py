"""`manage.py load_demo`: something to look at in an empty database, and never a known password beside real people."""

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db.models import Sum
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from accounts.models import User
from config import demo
from leaderboard import ranking
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.people import player
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fast_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_the_documented_accounts_can_sign_in_with_their_roles() -> None:
    call_command("load_demo")
    for name, role, staff in (("admin", "admin", True), ("mod", "moderator", False), ("alice", "player", False)):
        user = authenticate(username=name, password=f"{name}-demo")
        assert isinstance(user, User)
        assert (user.role, user.is_staff, user.is_superuser) == (role, staff, staff)


def test_every_account_is_one_that_the_forms_would_accept() -> None:
    call_command("load_demo")
    assert User.objects.count() == len(demo.PLAYERS) + len(demo.ACCOUNTS)
    for user in User.objects.all():
        user.full_clean()


def test_players_without_a_known_password_have_none() -> None:
    call_command("load_demo")
    known = [account.username for account in demo.ACCOUNTS]
    assert not any(user.has_usable_password() for user in User.objects.exclude(username__in=known))


def test_totals_are_those_of_the_list_and_the_sums_of_their_histories() -> None:
    call_command("load_demo")
    totals = dict(UserScore.objects.values_list("user__username", "total"))
    assert totals == {name: total for name, _, total in demo.PLAYERS} | {"alice": 64}
    sums = ScoreHistory.objects.values_list("user__username").annotate(Sum("delta"))
    assert dict(sums) == totals


@pytest.mark.django_db(transaction=True)
def test_an_open_board_shows_them_at_once(board: Board) -> None:
    call_command("load_demo")
    rows = ranking.top(board, 3).rows
    assert [(row.username, row.score) for row in rows] == [(name, total) for name, _, total in demo.PLAYERS[:3]]


def test_a_second_load_is_one_query_and_changes_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    call_command("load_demo")
    admin = User.objects.get(username="admin")
    admin.set_password("a secret of my own")
    admin.save()
    User.objects.filter(username="Nadia").update(username="Renamed", is_hidden=True)
    history = ScoreHistory.objects.count()
    with django_assert_num_queries(1):
        call_command("load_demo")
    assert ScoreHistory.objects.count() == history
    assert authenticate(username="admin", password="a secret of my own")
    assert not User.objects.filter(username="Nadia").exists()


def test_people_who_joined_the_demo_since_do_not_stop_a_later_start() -> None:
    call_command("load_demo")
    player("play-001")
    call_command("load_demo")
    assert User.objects.filter(username="play-001").exists()


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
    assert User.objects.count() == len(demo.PLAYERS) + len(demo.ACCOUNTS)
