"""Webhooks and their deliveries in admin: secrets shown once, everything on record, and who may do what."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from pytest_django.fixtures import Settings
from standardwebhooks.webhooks import Webhook

from accounts.models import User
from events import deliveries, webhooks
from events.models import Delivery, Endpoint, Mark
from tests.events.conftest import Make
from tests.events.receiver import Receiver
from tests.support.admin_site import admin, signed_in, superuser
from tests.support.people import give

pytestmark = pytest.mark.django_db(transaction=True)

ENDPOINTS, DELIVERIES = "/admin/events/endpoint/", "/admin/events/delivery/"
FORM = {"name": "my shop", "url": "https://shop.example/hook", "types": ["scoreboard.updates"], "batch": "100"}


def act(by: User, page: str, action: str, *rows: Any) -> Any:
    return signed_in(by).post(page, {"action": action, "_selected_action": [str(row.pk) for row in rows], "index": "0"})


def shown(page: Any) -> str:
    found = re.search(r"<code>(whsec_\S+)</code>", page.content.decode())
    assert found
    return found[1]


def said(webhook: Any) -> list[str]:
    lines = LogEntry.objects.filter(object_id=str(webhook.pk)).order_by("pk")
    return [line.get_change_message() for line in lines]


def test_a_secret_is_shown_when_it_is_made_and_never_again() -> None:
    root = superuser()
    page = signed_in(root).post(f"{ENDPOINTS}add/", FORM)
    secret, endpoint = shown(page), Endpoint.objects.get()
    assert (endpoint.secret, endpoint.created_by, endpoint.batch) == (secret, root, 100)
    assert "no-store" in page["Cache-Control"]
    for again in (ENDPOINTS, f"{ENDPOINTS}{endpoint.pk}/change/", f"{ENDPOINTS}{endpoint.pk}/history/"):
        answer = signed_in(root).get(again)
        assert answer.status_code == 200
        assert secret[6:] not in answer.content.decode()
    assert said(endpoint) == ["Added."]


@pytest.mark.parametrize(
    "wrong",
    [{"url": "https://127.0.0.1/"}, {"url": "http://shop.example/"}, {"types": []}, {"batch": "0"}, {"batch": "501"}],
)
def test_what_makes_no_webhook_is_shown_with_its_error(wrong: dict[str, Any], settings: Settings) -> None:
    settings.WEBHOOK_ALLOW = []
    page = signed_in(superuser()).post(f"{ENDPOINTS}add/", {**FORM, **wrong})
    assert page.status_code == 200
    assert page.context["errors"]
    assert not Endpoint.objects.exists()


def test_another_address_is_written_and_judged(webhook: Make, settings: Settings) -> None:
    endpoint, root = webhook(), superuser()
    settings.WEBHOOK_ALLOW = []
    change = f"{ENDPOINTS}{endpoint.pk}/change/"
    assert signed_in(root).post(change, {**FORM, "url": "https://10.0.0.1/"}).status_code == 200
    assert signed_in(root).post(change, FORM).status_code == 302
    endpoint.refresh_from_db()
    assert endpoint.url == FORM["url"]


def test_it_is_rotated_tried_out_disabled_and_enabled_and_each_is_on_record(
    alice: User, receiver: Receiver, webhook: Make
) -> None:
    endpoint, root = webhook(), superuser()
    secret = shown(act(root, ENDPOINTS, "rotate", endpoint))
    act(root, ENDPOINTS, "send_notice", endpoint)
    endpoint.refresh_from_db()
    deliveries.deliver(endpoint)
    [event] = Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)
    assert (event["type"], event["data"]["cause"]) == ("scoreboard.notice", "try-out")
    act(root, ENDPOINTS, "disable", endpoint)
    assert "disabled" in signed_in(root).get(ENDPOINTS).content.decode()
    assert root.username not in Endpoint.objects.get().disabled_because, "an erasure would not find it there"
    give(alice, 1)
    act(root, ENDPOINTS, "enable", endpoint)
    deliveries.deliver(Endpoint.objects.get())
    assert len(receiver.got) == 2
    act(root, ENDPOINTS, "disable", endpoint)
    act(root, ENDPOINTS, "enable_from_now", endpoint)
    assert Endpoint.objects.get().disabled_at is None
    assert said(endpoint) == [
        "Secret rotated.",
        "Tried out.",
        "Disabled.",
        "Enabled, with what was missed.",
        "Disabled.",
        "Enabled, from now on.",
    ]


def test_the_log_of_deliveries_says_what_failed_and_replays_and_skips(
    alice: User, receiver: Receiver, webhook: Make
) -> None:
    endpoint, ada = webhook(), admin()
    receiver.answers = lambda _: (500, {}, b"")
    give(alice, 1)
    deliveries.deliver(endpoint)
    for page in (ENDPOINTS, DELIVERIES):
        assert "500" in signed_in(ada).get(page).content.decode()
    failing = Delivery.objects.get()
    act(ada, DELIVERIES, "replay", failing)
    assert Delivery.objects.count() == 1, "what waits is sent anyway"
    act(ada, DELIVERIES, "skip", failing)
    receiver.answers = lambda _: (200, {}, b"")
    act(ada, DELIVERIES, "replay", failing)
    deliveries.deliver(endpoint)
    assert [event["data"]["score"] for event in receiver.events] == [1, 1]
    assert list(Delivery.objects.order_by("id").values_list("state", "replay")) == [
        ("skipped", False),
        ("delivered", True),
    ]
    assert said(failing) == ["Skipped.", "Sent once more."]
    assert "replayed" in signed_in(ada).get(DELIVERIES).content.decode()


def test_admins_look_on_and_only_superusers_make_rotate_and_switch(webhook: Make) -> None:
    endpoint, ada = webhook(), admin()
    site = signed_in(ada)
    assert site.get(ENDPOINTS).status_code == 200
    assert site.get(f"{ENDPOINTS}add/").status_code == site.post(f"{ENDPOINTS}add/", FORM).status_code == 403
    assert site.post(f"{ENDPOINTS}{endpoint.pk}/change/", FORM).status_code == 403
    for action in ("rotate", "disable", "delete_selected"):
        act(ada, ENDPOINTS, action, endpoint)
    now = Endpoint.objects.get()
    assert (now.secret, now.disabled_at, now.url) == (endpoint.secret, None, endpoint.url)


def test_moderators_and_players_see_nothing_of_it(alice: User, webhook: Make) -> None:
    webhook()
    moderator = User.objects.create(username="mia", role=User.Role.MODERATOR, email="mia@example.org")
    for user in (alice, moderator):
        for page in (ENDPOINTS, DELIVERIES):
            assert signed_in(user).get(page).status_code in (302, 403)


def test_deleting_one_takes_its_log_and_its_mark_along(webhook: Make, alice: User) -> None:
    endpoint = webhook()
    webhooks.try_out(endpoint)
    page = signed_in(superuser()).post(f"{ENDPOINTS}{endpoint.pk}/delete/", {"post": "yes"})
    assert page.status_code == 302
    assert not Endpoint.objects.exists()
    assert not Delivery.objects.exists()
    assert not Mark.objects.exists()


@pytest.mark.parametrize("column", ["secret", "previous_secret"])
def test_the_list_tells_nothing_of_a_secret_by_being_filtered(webhook: Make, column: str) -> None:
    webhook()
    assert signed_in(admin()).get(f"{ENDPOINTS}?{column}__startswith=whsec_").status_code == 400
