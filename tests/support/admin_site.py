"""The admin site as a signed-in user uses it."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.test import Client

from accounts.models import User
from scoreboard.models import Board as Rule
from tests.support.people import player

USERS = "/admin/accounts/user/"
ADJUST = f"{USERS}adjust/"
BOARDS_PAGE = "/admin/scoreboard/board/"


def superuser(username: str = "root") -> User:
    return player(username, is_superuser=True)


def admin(username: str = "ada") -> User:
    """A user with the role and no more."""
    return player(username, role=User.Role.ADMIN)


def signed_in(user: User, *, enforce_csrf_checks: bool = False) -> Client:
    client = Client(enforce_csrf_checks=enforce_csrf_checks)
    client.force_login(user)
    return client


def change_page(user: User) -> str:
    return f"{USERS}{user.pk}/change/"


def form_values(client: Client, user: User, **changes: Any) -> dict[str, Any]:
    """What a browser would send from the user's change page, with some fields changed; None leaves one out."""
    form = client.get(change_page(user)).context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    values |= changes
    return {name: value for name, value in values.items() if value is not None and value is not False}


def act(client: Client, action: str, users: Iterable[User] = (), *, everyone: bool = False) -> Any:
    """Runs an action of the list on these users, or on all the list has on all its pages."""
    selected = [str(user.pk) for user in users] or [fresh_id()]
    body = {"action": action, "_selected_action": selected, "index": "0", "select_across": "1" if everyone else "0"}
    return client.post(USERS, body, follow=True)


def preview(client: Client, users: Iterable[User], **fields: Any) -> Any:
    body = {"ids": ids(users), "reason": "counted twice", **fields}
    return client.post(ADJUST, body)


def ids(users: Iterable[User]) -> str:
    return ",".join(str(user.pk) for user in users)


def confirm(client: Client, previewed: Any) -> Any:
    """Confirms what a preview showed."""
    return client.post(ADJUST, {"plan": previewed.context["plan"]}, follow=True)


def said(response: Any) -> list[str]:
    """The messages on top of the page."""
    return [str(message) for message in response.context["messages"]]


def fresh_id() -> str:
    return str(uuid.uuid4())


def board_page(rule: Rule) -> str:
    return f"{BOARDS_PAGE}{rule.pk}/change/"
