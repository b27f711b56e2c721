"""Action types that can give much work once a second person has approved it: until then they are neither listed nor
minted, awarded or seen."""

import uuid
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import api_keys
from accounts.models import User
from actions.models import ActionToken, ActionType
from tests.support.admin_site import admin, said, signed_in, superuser
from tests.support.client import MINT, UPDATE, Api, assert_problem
from tests.support.signer import Signer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

TYPES = "/admin/actions/actiontype/"
CATALOGUE = "/api/v1/action/types"


@pytest.fixture
def ada(db: None) -> User:
    """Who sets the points: an admin by role."""
    return admin()


def put(by: User, slug: str = "BOSS", **changes: Any) -> None:
    """Makes the type, or changes it, on its page in admin."""
    values = {
        **{"slug": slug, "title": "Boss", "points": "1001", "enabled": "on", "token_lifetime": "60"},
        **{
            "granted_by": "player",
            "min_seconds": "1",
            "cooldown": "0",
            "max_per_hour": "",
            "min_points": "",
            "max_points": "",
        },
        **changes,
    }
    there = ActionType.objects.filter(pk=slug).exists()
    answer = signed_in(by).post(f"{TYPES}{slug}/change/" if there else f"{TYPES}add/", values)
    assert answer.status_code == 302, answer.context["adminform"].form.errors


def asked(site: Client, *slugs: str) -> Any:
    """The page that asks whether to approve these."""
    return site.post(TYPES, {"action": "approve", "_selected_action": slugs, "index": "0"}, follow=True)


def confirmed(site: Client, page: Any) -> list[str]:
    """What is said once the hidden fields of that page are posted."""
    types = page.context["types"]
    shown = {f"points-{kind.slug}": str(kind.most) for kind in types}
    body = {"action": "approve", "confirmed": "yes", "_selected_action": [kind.slug for kind in types], **shown}
    return said(site.post(TYPES, body, follow=True))


def approve(by: User, *slugs: str) -> list[str]:
    site = signed_in(by)
    page = asked(site, *slugs)
    return confirmed(site, page) if "types" in page.context else said(page)


def works(user: User, slug: str = "BOSS") -> bool:
    """Every way to get at a type says the same."""
    api, (_, key) = Api(), api_keys.issue("game server", ["mint", "award"])
    listed = slug in [one["action_type"] for one in api.get(CATALOGUE).json()["data"]]
    client = Client()
    client.force_login(user)
    shown = f'data-type="{slug}"' in client.get("/play").content.decode()
    body = {"user_id": str(user.pk), "action_type": slug}
    answers = [
        api.post(MINT, {"action_type": slug}, user),
        api.post(MINT, body, headers={"X-API-Key": key}),
        api.post("/api/v1/awards", {"id": str(uuid.uuid4()), **body}, headers={"X-API-Key": key}),
    ]
    assert {answer.status_code for answer in answers} in ({201}, {404})
    assert listed == shown == (answers[0].status_code == 201)
    return listed


@pytest.mark.parametrize("points", [{"points": "1001"}, {"points": "10", "max_points": "1001"}, {"points": "1000000"}])
def test_a_type_above_the_bound_waits_for_a_second_person(ada: User, alice: User, points: dict[str, str]) -> None:
    put(ada, **points)
    assert not works(alice)
    assert approve(ada, "BOSS") == ["BOSS: you set its points, another person approves them."]
    assert not works(alice)
    other = admin("other")
    assert approve(other, "BOSS") == ["BOSS works now."]
    assert works(alice)
    most = max(map(int, points.values()))
    assert LogEntry.objects.get(user=other).change_message == f"Approved: up to {most} points."


def test_up_to_the_bound_it_works_at_once(ada: User, alice: User, settings: Settings) -> None:
    put(ada, points="1000")
    assert works(alice)
    settings.APPROVE_TYPE_POINTS = 999
    assert not works(alice)


def test_nor_does_a_superuser_approve_what_they_set(alice: User) -> None:
    root = superuser()
    put(root)
    assert "another person" in approve(root, "BOSS")[0]
    assert not works(alice)


def test_raising_it_needs_a_new_approval_and_lowering_it_does_not(ada: User, alice: User) -> None:
    other = admin("other")
    put(ada, points="5000")
    approve(other, "BOSS")
    put(ada, points="4000")
    assert works(alice)
    put(ada, points="5001")
    assert not works(alice)
    put(other, points="5001", title="The boss")  # sets no points: ada still has
    assert "another person" in approve(ada, "BOSS")[0]
    assert approve(other, "BOSS") == ["BOSS works now."]
    assert works(alice)


def test_who_set_the_most_does_not_approve_it_after_another_changed_the_points_within_it(
    ada: User, alice: User
) -> None:
    other = admin("other")
    put(ada, points="10", max_points="1000000")
    put(other, points="20", max_points="1000000")
    assert "another person" in approve(ada, "BOSS")[0]
    assert not works(alice)
    assert approve(other, "BOSS") == ["BOSS works now."]


def test_no_more_is_approved_than_the_page_showed(ada: User, alice: User) -> None:
    put(ada, points="1001")
    site = signed_in(superuser())
    page = asked(site, "BOSS")
    assert [kind.most for kind in page.context["types"]] == [1001]
    put(ada, points="1000000")
    assert confirmed(site, page) == ["BOSS can give 1000000 points by now, and not 1001. Look at it again."]
    assert not works(alice)


def test_the_list_says_what_waits_and_a_form_cannot_approve(ada: User, alice: User) -> None:
    put(ada, approved_points="1000000", proposed_by="")
    page = signed_in(superuser()).get(TYPES).content.decode()
    assert "waits for approval of 1001 points, set by ada" in page
    kind = ActionType.objects.get(pk="BOSS")
    assert (kind.approved_points, kind.proposed_by) == (0, ada)
    assert said(asked(signed_in(superuser("other")), "WIN_MATCH")) == ["None of these waits for approval."]


def test_a_separate_signer_s_token_of_a_type_that_waits_is_not_seen(
    api: Api, ada: User, alice: User, settings: Settings
) -> None:
    signer = Signer()
    settings.ACTION_TOKEN_KEYS = [signer.setting]
    ActionType.objects.filter(slug="WIN_MATCH").update(granted_by="signer")
    assert api.post(UPDATE, signer.body(alice), alice).status_code == 200
    ActionType.objects.filter(slug="WIN_MATCH").update(max_points=1001)
    assert_problem(api.post(UPDATE, signer.body(alice), alice), "token-invalid")
    assert ActionToken.objects.count() == 1
    ActionType.objects.filter(slug="WIN_MATCH").update(approved_points=1001)
    assert api.post(UPDATE, signer.body(alice, 1001), alice).status_code == 200
