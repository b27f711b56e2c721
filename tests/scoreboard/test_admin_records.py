"""Totals, history and the admin log: to look at; no user can add, change or delete them."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import User
from scoreboard.models import ScoreHistory, UserScore
from tests.support.admin_site import act
from tests.support.people import give

pytestmark = pytest.mark.django_db


@pytest.fixture
def records(admin_site: Client, alice: User) -> dict[str, Any]:
    """One row of each kind, by its path below /admin/."""
    give(alice, 5)
    act(admin_site, "hide", [alice])
    return {
        "scoreboard/userscore/": UserScore.objects.get(pk=alice.pk),
        "scoreboard/scorehistory/": ScoreHistory.objects.get(),
        "admin/logentry/": LogEntry.objects.get(),
    }


PATHS = ["scoreboard/userscore/", "scoreboard/scorehistory/", "admin/logentry/"]


@pytest.mark.parametrize("path", PATHS)
def test_they_are_listed(admin_site: Client, records: dict[str, Any], path: str) -> None:
    assert records[path] in admin_site.get(f"/admin/{path}").context["cl"].result_list


@pytest.mark.parametrize("path", PATHS)
def test_not_even_a_superuser_changes_them_by_a_crafted_post(
    admin_site: Client, records: dict[str, Any], path: str
) -> None:
    row = records[path]
    before = type(row).objects.filter(pk=row.pk).values().get()
    for target in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
        answer = admin_site.post(
            f"/admin/{path}{target}", {"total": "999", "delta": "999", "reason": "x", "post": "yes"}
        )
        assert answer.status_code == 403, target
    listed = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    admin_site.post(f"/admin/{path}", listed)
    admin_site.post(f"/admin/{path}", {"form-TOTAL_FORMS": "1", "form-0-total": "999", "_save": "Save"})
    assert type(row).objects.filter(pk=row.pk).values().get() == before


def test_history_is_found_by_whole_name_request_and_player(admin_site: Client, alice: User, bob: User) -> None:
    give(alice, 5)
    give(bob, 6)
    base = "/admin/scoreboard/scorehistory/"
    for query, names in (
        ({"q": "ALICE"}, ["alice"]),
        ({"q": "lic"}, []),
        ({"user__id__exact": str(bob.pk)}, ["bob"]),
        ({"source": "adjustment"}, ["bob", "alice"]),
    ):
        found = admin_site.get(base, query).context["cl"].result_list
        assert [row.user.username for row in found] == names, query


def test_a_name_with_markup_stays_text(admin_site: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(username="<img src=x onerror=alert(1)>")
    give(alice, 5)
    page = admin_site.get("/admin/scoreboard/scorehistory/").content
    assert b"<img src=x" not in page
    assert b"&lt;img src=x" in page


@pytest.mark.parametrize("lookup", ["created_at__year=9999999999", "reason__regex=(", "created_at__date__week_day=x"])
def test_a_filter_of_admin_that_no_page_offers_is_a_400(admin_site: Client, lookup: str) -> None:
    for path in ("scoreboard/scorehistory/", "scoreboard/scorehistory/export.csv"):
        assert admin_site.get(f"/admin/{path}?{lookup}").status_code == 400, path
