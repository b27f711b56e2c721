"""Roles: what each may do, and that no user is staff by accident."""

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from tests.support.people import player

pytestmark = pytest.mark.django_db


def test_a_player_may_do_nothing_special(alice: User) -> None:
    assert alice.get_all_permissions() == set()
    assert not alice.is_staff


def test_a_moderator_gives_bonuses_reads_histories_and_sees_boards_and_no_more() -> None:
    moderator = player("mo", role=User.Role.MODERATOR)
    assert moderator.get_all_permissions() == {
        "scoreboard.give_bonus",
        "scoreboard.view_any_history",
        "scoreboard.view_board",
    }
    assert not moderator.is_staff


def test_an_admin_adjusts_and_hides_but_gives_nobody_authority() -> None:
    admin = player("ada", role=User.Role.ADMIN)
    assert admin.is_staff
    assert admin.has_perms(["scoreboard.adjust_score", "accounts.hide_user", "scoreboard.give_bonus"])
    assert admin.has_module_perms("scoreboard")
    for permission in ("accounts.delete_user", "accounts.add_user", "auth.change_group", "accounts.add_apikey"):
        assert not admin.has_perm(permission)


def test_a_disabled_admin_may_do_nothing() -> None:
    admin = player("ada", role=User.Role.ADMIN, is_active=False)
    assert not admin.has_perm("scoreboard.adjust_score")
    assert not admin.has_module_perms("scoreboard")


def test_a_superuser_is_an_admin_who_may_do_everything() -> None:
    root = User.objects.create_superuser("root", "root@example.org", "a long enough pass phrase")
    assert (root.role, root.is_staff) == (User.Role.ADMIN, True)
    assert root.has_perm("auth.change_group")


def test_staff_follows_the_role_whatever_was_asked_for() -> None:
    user = player("eve", is_staff=True)
    assert not user.is_staff
    user.role = User.Role.ADMIN
    user.save(update_fields=["role"])
    assert User.objects.get(pk=user.pk).is_staff
    user.role = User.Role.PLAYER
    user.save(update_fields=["role"])
    assert not User.objects.get(pk=user.pk).is_staff


def test_saving_other_fields_leaves_authority_alone(alice: User) -> None:
    stale = User.objects.get(pk=alice.pk)
    alice.role = User.Role.ADMIN
    alice.save()
    stale.region = "EU"
    stale.save(update_fields=["region"])
    assert User.objects.get(pk=alice.pk).is_staff


@pytest.mark.parametrize("change", [{"is_staff": True}, {"role": "admin"}, {"is_superuser": True}])
def test_the_database_refuses_staff_without_the_role(alice: User, change: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(**change)
