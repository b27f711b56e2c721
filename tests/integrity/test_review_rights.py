"""Who may see the review queue, and who may decide what about whom."""

import pytest
from django.contrib.auth.models import Permission

from accounts import roles
from accounts.models import User
from tests.integrity.review_site import LABELS, QUEUE, buttons, decide, flag, page, untouched
from tests.support.admin_site import said, signed_in, superuser
from tests.support.people import player

pytestmark = pytest.mark.django_db


def test_only_admins_see_the_queue(alice: User, reviewer: User) -> None:
    flagged = flag(alice)
    assert signed_in(player()).get(page(flagged)).status_code == 302
    assert decide(player(), "ban", [flagged]).redirect_chain
    moderator = player(role=User.Role.MODERATOR)
    assert signed_in(moderator).get(page(flagged)).status_code == 403
    assert decide(moderator, "ban", [flagged]).status_code == 403
    assert untouched(alice, flagged)
    assert signed_in(reviewer).get(page(flagged)).status_code == 200


def test_an_admin_has_all_four_measures(alice: User, reviewer: User) -> None:
    assert buttons(signed_in(reviewer).get(page(flag(alice)))) == list(LABELS)


@pytest.mark.parametrize("measure", LABELS)
def test_each_measure_needs_its_permission(alice: User, measure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {"hide": "accounts.hide_user", "revert": "scoreboard.adjust_score", "ban": "integrity.ban_player"}
    without = roles.ADMIN - {needed.get(measure, "integrity.decide_flag")}
    monkeypatch.setitem(roles.PERMISSIONS, User.Role.ADMIN, without)
    limited, flagged = player(role=User.Role.ADMIN, is_staff=True), flag(alice)
    assert measure not in buttons(signed_in(limited).get(page(flagged)))
    assert decide(limited, measure, [flagged]).status_code == 403
    assert untouched(alice, flagged)


def test_seeing_is_not_deciding(alice: User) -> None:
    flagged, looker = flag(alice), player("looker", role=User.Role.ADMIN, is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_flag"))
    User.objects.filter(pk=looker.pk).update(role=User.Role.ADMIN)
    client = signed_in(looker)
    assert client.post(page(flagged), {"state": "dismissed"}).status_code == 403
    assert client.post(f"{QUEUE}add/", {"user": alice.pk}).status_code == 403
    assert client.post(f"{QUEUE}{flagged.pk}/delete/", {"post": "yes"}).status_code == 403
    assert untouched(alice, flagged)


@pytest.mark.parametrize("measure", LABELS)
def test_only_superusers_act_upon_admins(reviewer: User, measure: str) -> None:
    boss = player("boss", role=User.Role.ADMIN, is_staff=True)
    flagged = flag(boss)
    assert any("only superusers" in text for text in said(decide(reviewer, measure, [flagged])))
    assert untouched(boss, flagged)
    decide(superuser(), measure, [flagged])
    assert not untouched(boss, flagged)


def test_nobody_decides_about_themselves(alice: User) -> None:
    root = superuser()
    flagged = flag(root)
    assert any("yourself" in text for text in said(decide(root, "dismiss", [flagged])))
    assert untouched(root, flagged)
