"""People in admin: shown, hidden, renamed at once; never deleted; no role given without the right to."""

import re
from typing import Any

import pytest
from django.contrib import admin as admin_site
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError
from django.test import Client, RequestFactory

from accounts import privacy
from accounts.models import User
from leaderboard import ranking
from leaderboard.boards import Board
from scoreboard.adjustments import MAX_PLAYERS
from scoreboard.models import UserScore
from tests.support.admin_site import USERS, act, admin, change_page, form_values, said, signed_in, superuser
from tests.support.people import give, player, players

pytestmark = pytest.mark.django_db


def shown(board: Board) -> list[tuple[int, str, int]]:
    return [(row.rank, row.username, row.score) for row in ranking.top(board, 10).rows]


def save(admin_site: Client, user: User, **changes: Any) -> Any:
    return admin_site.post(change_page(user), form_values(admin_site, user, **changes), follow=True)


@pytest.mark.django_db(transaction=True)
def test_a_hidden_player_leaves_the_board_and_the_ranks_at_once_and_comes_back_to_the_right_place(
    board: Board, alice: User, bob: User
) -> None:
    give(alice, 20)
    give(bob, 10)
    site = signed_in(superuser())
    assert said(act(site, "hide", [alice])) == ["1 players are hidden now."]
    assert shown(board) == [(1, "bob", 10)]
    act(site, "unhide", [alice])
    assert shown(board) == [(1, "alice", 20), (2, "bob", 10)]


@pytest.mark.django_db(transaction=True)
def test_who_was_erased_keeps_nobody_else_from_being_shown_again(board: Board, alice: User, bob: User) -> None:
    give(alice, 20)
    site = signed_in(superuser())
    act(site, "hide", [alice])
    privacy.erase(bob.pk)
    assert said(act(site, "unhide", [alice, bob])) == ["1 players are shown now."]
    assert shown(board) == [(1, "alice", 20)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"username": "Алиса"}, [(1, "Алиса", 20), (2, "bob", 10)]),
        ({"is_hidden": "on"}, [(1, "bob", 10)]),
        ({"is_active": None}, [(1, "bob", 10)]),
    ],
)
def test_a_saved_change_page_is_on_the_board_at_once(
    board: Board, alice: User, bob: User, changes: dict[str, str], after: list[tuple[int, str, int]]
) -> None:
    give(alice, 20)
    give(bob, 10)
    save(signed_in(superuser()), alice, **changes)
    assert shown(board) == after


@pytest.mark.django_db(transaction=True)
def test_a_new_avatar_is_on_the_board_at_once(board: Board, alice: User) -> None:
    give(alice, 20)
    save(signed_in(superuser()), alice, avatar_url="https://example.org/a.png")
    assert ranking.top(board, 1).rows[0].avatar == "https://example.org/a.png"


def test_hiding_is_in_the_admin_log_once_for_each_who_was_shown(
    admin_site: Client, root: User, alice: User, bob: User
) -> None:
    act(admin_site, "hide", [alice])
    act(admin_site, "hide", [alice, bob])
    entries = LogEntry.objects.order_by("id").values_list("object_repr", "user", "change_message")
    assert list(entries) == [
        ("alice", root.pk, "Hidden from the boards."),
        ("bob", root.pk, "Hidden from the boards."),
    ]


def test_saving_writes_only_what_was_changed(admin_site: Client, alice: User) -> None:
    values = form_values(admin_site, alice, region="EU")
    User.objects.filter(pk=alice.pk).update(avatar_url="https://example.org/new.png", password="new")
    values["avatar_url"] = ""
    admin_site.post(change_page(alice), values)
    alice.refresh_from_db()
    assert (alice.region, alice.password) == ("EU", "new")


def test_names_are_kept_in_the_form_they_have(admin_site: Client) -> None:
    """Django's own field would turn them into another normal form."""
    user = player("Ⅷ ①")
    save(admin_site, user, region="EU")
    assert User.objects.get(pk=user.pk).username == "Ⅷ ①"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "BOB"}, "__all__"),
        ({"username": " "}, "username"),
        ({"username": "a\u202eb"}, "username"),
        ({"username": "e\u0301"}, "username"),
        ({"username": "x" * 51}, "username"),
        ({"email": "BOB@example.org"}, "__all__"),
        ({"email": "nobody"}, "email"),
        ({"avatar_url": "javascript:alert(1)"}, "avatar_url"),
        ({"avatar_url": "ftp://example.org/a.png"}, "avatar_url"),
        ({"is_superuser": "on"}, "__all__"),
        ({"role": "emperor"}, "role"),
    ],
)
def test_what_cannot_be_saved_is_shown_with_its_error(
    admin_site: Client, alice: User, bob: User, changes: dict[str, str], field: str
) -> None:
    page = save(admin_site, alice, **changes)
    assert list(page.context["adminform"].form.errors) == [field]
    assert User.objects.get(pk=alice.pk).username == "alice"


def test_a_name_taken_between_look_and_write_is_a_message_not_a_500(
    admin_site: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: object) -> None:
        raise IntegrityError("users_username_key")

    monkeypatch.setattr("accounts.visibility.save_profile", taken)
    assert "just been taken" in said(save(admin_site, alice, username="bob"))[0]


def test_a_superuser_adds_a_user(admin_site: Client) -> None:
    values = {
        "username": "नया",
        "email": "new@example.org",
        "usable_password": "true",
        "password1": "a long enough pass phrase",
        "password2": "a long enough pass phrase",
    }
    admin_site.post(f"{USERS}add/", values)
    new = User.objects.get(username="नया")
    assert new.check_password("a long enough pass phrase")
    assert (new.role, new.is_staff) == ("player", False)


def test_a_superuser_makes_a_moderator_and_an_admin(admin_site: Client, alice: User) -> None:
    save(admin_site, alice, role="moderator")
    assert User.objects.get(pk=alice.pk).has_perm("scoreboard.give_bonus")
    save(admin_site, alice, role="admin")
    assert User.objects.get(pk=alice.pk).is_staff


def test_nobody_can_be_deleted(admin_site: Client, alice: User) -> None:
    give(alice, 5)
    for answer in (
        admin_site.get(f"{USERS}{alice.pk}/delete/"),
        admin_site.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"}),
    ):
        assert answer.status_code == 403
    act(admin_site, "delete_selected", [alice])
    assert b"delete_selected" not in admin_site.get(USERS).content
    assert b"deletelink" not in admin_site.get(change_page(alice)).content
    assert User.objects.filter(pk=alice.pk).exists()


# --- an admin by role, and no superuser


@pytest.fixture
def ada(db: None) -> Client:
    return signed_in(admin())


def test_an_admin_renames_hides_and_disables_players(ada: Client, alice: User) -> None:
    save(ada, alice, username="Alicia", is_hidden="on", is_active=None)
    alice.refresh_from_db()
    assert (alice.username, alice.is_hidden, alice.is_active) == ("Alicia", True, False)


def test_an_admin_cannot_raise_anyone(ada: Client, alice: User) -> None:
    group = Group.objects.create(name="all")
    group.permissions.set(Permission.objects.all())
    crafted = {
        "role": "admin",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [str(group.pk)],
        "user_permissions": [str(Permission.objects.all()[0].pk)],
        "password": "x",
        "region": "EU",
    }
    save(ada, alice, **crafted)
    alice.refresh_from_db()
    assert alice.region == "EU"
    assert (alice.role, alice.is_staff, alice.is_superuser) == ("player", False, False)
    assert not alice.groups.exists()
    assert not alice.user_permissions.exists()
    assert alice.password != "x"


@pytest.mark.parametrize("target", ["root", "ada", "other"])
def test_an_admin_cannot_touch_superusers_other_admins_or_themselves(target: str) -> None:
    people = {"root": superuser(), "ada": admin(), "other": admin("other")}
    ada, user = signed_in(people["ada"]), people[target]
    assert ada.get(change_page(user)).status_code == 200  # to look at
    assert ada.post(change_page(user), {"username": "x", "email": "x@example.org"}).status_code == 403
    answer = act(ada, "hide", [user])
    assert "1 of the selected are admins" in said(answer)[-1]
    user.refresh_from_db()
    assert (user.username, user.is_hidden) == (user.username, False)


def test_an_admin_sets_nobodys_password_and_sees_no_hash(ada: Client, alice: User) -> None:
    alice.set_password("a long enough pass phrase")
    alice.save()
    body = {"password1": "another pass phrase", "password2": "another pass phrase", "usable_password": "true"}
    assert ada.post(f"{USERS}{alice.pk}/password/", body).status_code == 403
    assert ada.get(f"{USERS}{alice.pk}/password/").status_code == 403
    page = ada.get(change_page(alice)).content.decode()
    assert "algorithm" not in page
    alice.refresh_from_db()
    assert alice.check_password("a long enough pass phrase")


@pytest.mark.parametrize("role", ["player", "moderator"])
def test_an_admin_cannot_have_another_s_mail_sent_to_themselves(ada: Client, alice: User, role: str) -> None:
    User.objects.filter(pk=alice.pk).update(role=role)
    before = alice.email
    save(ada, alice, email="ada@example.org", region="EU")
    alice.refresh_from_db()
    assert (alice.email, alice.region) == (before, "EU")


def test_no_page_shows_any_of_a_hash(admin_site: Client, ada: Client, alice: User) -> None:
    alice.set_password("a long enough pass phrase")
    alice.save()
    _, _, salt, *_, hashed = alice.password.split("$")
    for client in (admin_site, ada):
        page = client.get(change_page(alice)).content.decode()
        for part in ("scrypt", salt[:6], hashed[:6], str(alice.session_key)):
            assert part not in page
    assert "A password is set" in admin_site.get(change_page(alice)).content.decode()


def test_single_permissions_are_picked_by_superusers_alone(admin_site: Client, ada: Client, alice: User) -> None:
    for field in ("user_permissions", "groups", "is_superuser"):
        assert f"field-{field}" in admin_site.get(change_page(alice)).content.decode()
        assert f"field-{field}" not in ada.get(change_page(alice)).content.decode()
    assert "field-role" in ada.get(change_page(alice)).content.decode()


def test_another_address_is_one_that_nobody_has_confirmed(admin_site: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(email_confirmed_at=alice.date_joined)
    save(admin_site, alice, region="EU")
    alice.refresh_from_db()
    assert alice.email_confirmed_at is not None
    save(admin_site, alice, email="other@example.org")
    alice.refresh_from_db()
    assert alice.email_confirmed_at is None


def test_admin_has_no_table_of_tokens_or_sessions(admin_site: Client) -> None:
    listed = re.findall(r'href="/admin/(\w+/\w+)/"', admin_site.get("/admin/").content.decode())
    assert "accounts/user" in listed
    assert not [table for table in listed if re.search("blacklist|signin|session|totp|otp_static", table)]


@pytest.mark.parametrize(
    "path",
    [
        f"{USERS}add/",
        "/admin/auth/group/",
        "/admin/accounts/apikey/",
        "/admin/accounts/apikey/add/",
    ],
)
def test_what_is_for_superusers_is_closed_to_admins(ada: Client, path: str) -> None:
    assert ada.get(path).status_code == 403
    assert ada.post(path, {}).status_code == 403


@pytest.mark.parametrize(
    "path", ["accounts/user/", "scoreboard/userscore/", "scoreboard/scorehistory/", "actions/actiontype/"]
)
def test_what_admins_work_with_is_open_to_them(ada: Client, alice: User, path: str) -> None:
    give(alice, 5)
    assert ada.get(f"/admin/{path}").status_code == 200


# --- the list


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("lic", ["alice"]),
        ("BOB@EXAMPLE", ["bob"]),
        ("nobody", []),
        ("%", []),
        ("' OR 1=1", []),
        ("\N{GRINNING FACE}", []),
    ],
)
def test_search_finds_names_and_addresses(
    admin_site: Client, alice: User, bob: User, term: str, found: list[str]
) -> None:
    page = admin_site.get(USERS, {"q": term})
    assert [user.username for user in page.context["cl"].result_list] == found


def test_search_finds_an_id(admin_site: Client, alice: User, bob: User) -> None:
    page = admin_site.get(USERS, {"q": str(alice.pk)})
    assert [user.username for user in page.context["cl"].result_list] == ["alice"]


def test_the_list_starts_with_the_highest_total_and_costs_the_same_for_many(
    admin_site: Client, alice: User, bob: User, django_assert_max_num_queries: Any
) -> None:
    give(bob, 7)
    give(alice, 5)
    players(30)
    with django_assert_max_num_queries(8):
        page = admin_site.get(USERS)
    assert [user.username for user in page.context["cl"].result_list][:2] == ["bob", "alice"]


@pytest.mark.parametrize(
    "query", ["o=1", "o=-2", "o=2", "o=99", "p=7", "p=x", "role=x", "score__total=1", "password=x"]
)
def test_a_strange_query_is_no_500(admin_site: Client, alice: User, query: str) -> None:
    assert admin_site.get(f"{USERS}?{query}").status_code in (200, 302, 400)


def test_too_many_cannot_be_hidden_by_a_slip(admin_site: Client) -> None:
    players(MAX_PLAYERS + 1)
    assert said(act(admin_site, "hide", everyone=True)) == ["At most 1000 players at once."]
    assert not User.objects.filter(is_hidden=True).exists()


def test_a_strange_id_is_no_500(admin_site: Client) -> None:
    assert admin_site.get(f"{USERS}x/change/").status_code == 302
    assert admin_site.get(f"{USERS}x/password/").status_code == 404


def test_a_total_that_is_not_the_sum_of_its_history_shows_on_the_users_page(admin_site: Client, alice: User) -> None:
    give(alice, 50)
    assert "but the total is" not in admin_site.get(change_page(alice)).content.decode()
    UserScore.objects.filter(user=alice).update(total=77)
    assert "50, but the total is 77" in admin_site.get(change_page(alice)).content.decode()


SECRET = {"password", "session_key", "digest", "secret", "previous_secret"}


def test_no_list_is_filtered_by_a_secret_column(rf: RequestFactory) -> None:
    request, tried = rf.get("/"), []
    for model, page in admin_site.site._registry.items():
        for column in SECRET & {field.name for field in model._meta.concrete_fields}:
            tried.append(column)
            assert not page.lookup_allowed(f"{column}__startswith", "a", request), (model, column)
    assert set(tried) == SECRET
