"""`manage.py approve`: what waits for a second person, decided by a person with a shell on the server."""

from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command

from accounts.models import User
from actions.models import ActionType
from scoreboard import bonus
from scoreboard.models import Bonus
from tests.support.admin_site import superuser
from tests.support.people import total

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board")]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("approve", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def given(root: User, alice: User) -> Bonus:
    """By root, the only person of the site, who set it all."""
    ActionType.objects.create(slug="BOSS", title="Boss", points=5000, proposed_by=root)
    bonus.give(root.pk, "k-1", alice.pk, 10_001, "won the cup")
    return Bonus.objects.get()


def test_it_lists_what_waits(given: Bonus) -> None:
    kind, one = run().splitlines()
    assert kind == "BOSS  action type, up to 5000 points, set by root"
    assert one.startswith(f"{given.pk}  10001 points to alice from root, ")
    assert one.endswith(": won the cup")


def test_it_approves_once_and_the_log_says_where(root: User, alice: User, given: Bonus) -> None:
    assert run("BOSS", str(given.pk)).splitlines() == ["BOSS is approved.", f"{given.pk} is approved."]
    assert (run(), total(alice)) == ("", 10_001)
    messages = list(LogEntry.objects.filter(user=root).order_by("pk").values_list("change_message", flat=True))
    assert messages == [
        "Approved: up to 5000 points. At the command line.",
        "Approved: 10001 points from root. At the command line.",
    ]
    with pytest.raises(CommandError, match="BOSS waits for no approval"):
        run("BOSS", str(given.pk))
    assert (total(alice), LogEntry.objects.count()) == (10_001, 2)


def test_it_refuses(alice: User, given: Bonus) -> None:
    run("--refuse", "BOSS", str(given.pk))
    assert (run(), total(alice)) == ("", 0)
    assert not ActionType.objects.get(pk="BOSS").enabled
    given.refresh_from_db()
    assert given.state == "refused"


def test_one_that_cannot_be_approved_does_not_stop_the_others(alice: User, given: Bonus) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(CommandError, match="still waits: The player is disabled") as error:
        run("NO_SUCH", str(given.pk), "BOSS")
    assert "no action type and no bonus 'NO_SUCH'" in str(error.value)
    assert ActionType.objects.get(pk="BOSS").approved_points == 5000
    assert total(alice) == 0


def test_of_several_admins_one_has_to_be_named(alice: User, given: Bonus) -> None:
    other = superuser("other")
    with pytest.raises(CommandError, match="--as"):
        run("BOSS")
    with pytest.raises(CommandError, match="no admin 'alice'"):
        run("--as", "alice", "BOSS")
    run("--as", "other", "BOSS")
    assert LogEntry.objects.get().user == other
