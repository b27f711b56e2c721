"""The catalogue in admin, and what is only to look at."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from actions import tokens
from actions.models import ActionToken, ActionType, QueuedWork
from tests.support.admin_site import admin, signed_in, superuser

pytestmark = [pytest.mark.django_db]

TYPES = "/admin/actions/actiontype/"
TOKENS = "/admin/actions/actiontoken/"
WORK = "/admin/actions/queuedwork/"

NEW = {
    "slug": "FEED_CAT",
    "title": "Feed the cat",
    "points": "7",
    "enabled": "on",
    "granted_by": "back_end",
    "token_lifetime": "60",
    "min_seconds": "5",
    "cooldown": "0",
    "max_per_hour": "",
    "min_points": "",
    "max_points": "",
}


@pytest.fixture
def site(db: None) -> Client:
    return signed_in(admin())


@pytest.mark.parametrize("someone", [admin, superuser])
def test_a_new_type_can_be_minted(someone: Any, alice: User) -> None:
    assert signed_in(someone()).post(f"{TYPES}add/", NEW).status_code == 302
    assert tokens.mint(alice.pk, "FEED_CAT").points == 7


def test_changed_points_count_from_the_next_mint_on(site: Client, alice: User) -> None:
    before = tokens.mint(alice.pk, "WIN_MATCH")
    values = {**NEW, "title": "Win", "points": "60"}
    del values["slug"]
    site.post(f"{TYPES}WIN_MATCH/change/", values)
    assert (before.points, tokens.mint(alice.pk, "WIN_MATCH").points) == (50, 60)
    assert ActionToken.objects.get(pk=before.action_id).points == 50


def test_a_slug_is_for_ever(site: Client) -> None:
    site.post(f"{TYPES}WIN_MATCH/change/", {**NEW, "slug": "OTHER"})
    assert set(ActionType.objects.values_list("slug", flat=True)) == {"WIN_MATCH", "COMPLETE_TASK", "DAILY_LOGIN"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"slug": "feed cat"}, "slug"),
        ({"slug": "WIN_MATCH"}, "slug"),
        ({"title": ""}, "title"),
        ({"points": "0"}, "points"),
        ({"points": "-5"}, "points"),
        ({"points": "1000001"}, "points"),
        ({"points": "9" * 400}, "points"),
        ({"token_lifetime": "0"}, "token_lifetime"),
        ({"token_lifetime": "5"}, "__all__"),
        ({"max_per_hour": "0"}, "max_per_hour"),
        ({"min_points": "8"}, "__all__"),
        ({"max_points": "6"}, "__all__"),
        ({"min_seconds": "99999999999"}, "min_seconds"),
        ({"cooldown": "99999999999"}, "cooldown"),
        ({"granted_by": "player", "min_seconds": "0"}, "__all__"),
        ({"granted_by": "anybody"}, "granted_by"),
    ],
)
def test_what_the_database_would_refuse_is_an_error_of_the_form(
    site: Client, wrong: dict[str, str], field: str
) -> None:
    page = site.post(f"{TYPES}add/", {**NEW, **wrong})
    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors
    assert not ActionType.objects.filter(slug="FEED_CAT").exists()


def test_tokens_are_only_looked_at(alice: User) -> None:
    site = signed_in(superuser())
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    assert [token.pk for token in site.get(TOKENS, {"q": "alice"}).context["cl"].result_list] == [minted.action_id]
    assert [token.pk for token in site.get(TOKENS, {"q": str(minted.action_id)}).context["cl"].result_list]
    for target in ("add/", f"{minted.action_id}/change/", f"{minted.action_id}/delete/"):
        assert site.post(f"{TOKENS}{target}", {"points": "999", "post": "yes"}).status_code == 403
    assert ActionToken.objects.get().points == 50
    assert minted.action_token.encode() not in site.get(TOKENS).content


def dead(user: User, state: QueuedWork.State = QueuedWork.State.DEAD) -> QueuedWork:
    now = timezone.now() - timedelta(hours=1)
    return QueuedWork.objects.create(
        user=user, submissions=[], accepted_at=now, sent_at=now, state=state, attempts=4, error="boom", finished_at=now
    )


def test_dead_work_is_replayed_and_what_is_done_is_not(site: Client, alice: User) -> None:
    first, done = dead(alice), dead(alice, QueuedWork.State.DONE)
    ids = [str(first.pk), str(done.pk), str(uuid.uuid4())]
    answer = site.post(WORK, {"action": "replay", "_selected_action": ids, "index": "0"}, follow=True)
    assert [str(message) for message in answer.context["messages"]] == ["1 are waiting in the queue again."]
    first.refresh_from_db()
    done.refresh_from_db()
    assert (first.state, done.state) == ("queued", "done")
