"""API keys in admin: shown once, rotated with an overlap, revoked for good."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts import api_keys
from accounts.models import ApiKey, User

pytestmark = pytest.mark.django_db

KEYS = "/admin/accounts/apikey/"


def issue(admin_site: Client) -> Any:
    return admin_site.post(f"{KEYS}add/", {"name": "game server", "scopes": ["mint"], "limit": "100/minute"})


def act(admin_site: Client, action: str, *keys: ApiKey) -> Any:
    return admin_site.post(KEYS, {"action": action, "_selected_action": [str(key.pk) for key in keys], "index": "0"})


def text_on(page: Any) -> str:
    found = re.search(r"<code>(sb_\S+)</code>", page.content.decode())
    assert found
    return found[1]


def test_an_issued_key_is_shown_once_and_works(admin_site: Client, root: User) -> None:
    page = issue(admin_site)
    text = text_on(page)
    assert "no-store" in page["Cache-Control"]
    key = api_keys.find(text)
    assert key is not None
    assert (key.name, key.scopes, key.limit, key.created_by) == ("game server", ["mint"], "100/minute", root)
    _, _, secret = text.split("_", 2)  # sb_<prefix>_<secret>, which may have underscores of its own
    assert secret.encode() not in admin_site.get(KEYS).content
    assert not LogEntry.objects.filter(change_message__contains=secret).exists()
    assert LogEntry.objects.get().object_id == str(key.pk)


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["everything"]}, {"limit": "many"}, {"limit": "0/minute"}]
)
def test_what_makes_no_key_is_shown_with_its_error(admin_site: Client, wrong: dict[str, Any]) -> None:
    values = {"name": "x", "scopes": ["mint"], "limit": "100/minute", **wrong}
    page = admin_site.post(f"{KEYS}add/", values)
    assert list(page.context["adminform"].form.errors) == list(wrong)
    assert not ApiKey.objects.exists()


def test_a_rotated_key_has_a_successor_and_works_on_for_a_while(admin_site: Client) -> None:
    old = text_on(issue(admin_site))
    new = text_on(act(admin_site, "rotate", ApiKey.objects.get()))
    assert new != old
    for text in (old, new):
        assert api_keys.find(text)
    assert ApiKey.objects.filter(expires_at=None).count() == 1


def test_a_revoked_key_is_dead_stays_listed_and_cannot_be_rotated(admin_site: Client) -> None:
    text = text_on(issue(admin_site))
    key = ApiKey.objects.get()
    act(admin_site, "revoke", key)
    assert api_keys.find(text) is None
    assert b"revoked 20" in admin_site.get(KEYS).content
    act(admin_site, "rotate", key)
    assert ApiKey.objects.count() == 1


def test_keys_are_neither_changed_nor_deleted(admin_site: Client) -> None:
    issue(admin_site)
    key = ApiKey.objects.get()
    assert admin_site.post(f"{KEYS}{key.pk}/change/", {"limit": "off"}).status_code == 403
    assert admin_site.post(f"{KEYS}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    act(admin_site, "delete_selected", key)
    assert ApiKey.objects.get().limit == "100/minute"
