"""Signing up as a player."""

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from rest_framework import serializers

from accounts import addresses, local_accounts, mail
from accounts.models import User
from accounts.serializers import TAKEN
from api.problems import Problem

COLUMNS = {"users_username_key": "username", "users_skeleton_key": "skeleton", "users_email_key": "email"}


def is_open() -> bool:
    """SIGN_UP: whether a visitor may become a player here."""
    return local_accounts.on() and bool(settings.SIGN_UP == "open")


def register(username: str, email: str, password: str, request: HttpRequest | None = None) -> User:
    """Creates a player and, when there is a mail server, asks the address to be confirmed.

    Raises Problem forbidden while SIGN_UP is closed; ValidationError when the name, or one that looks like it, or the
    e-mail address is taken, in any capitals.
    The unique indexes decide, not a look beforehand: two sign-ups for one name at one moment leave one player.
    """
    if not is_open():
        raise Problem("forbidden", "Sign-up is closed on this site.")
    hashed = make_password(password)  # before the transaction, which waits for no other hash
    user = User(username=username, email=User.objects.normalize_email(email), password=hashed)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            addresses.remember(user.pk, addresses.address_digest(request) if request else None)
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        taken = COLUMNS.get(constraint or "")
        if taken is None:
            raise
        raise serializers.ValidationError({"email" if taken == "email" else "username": [TAKEN[taken]]}) from error
    mail.ask_to_confirm(user, request)
    return user
