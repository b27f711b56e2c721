"""Erasing a person: the identity goes, for good, and the ledger stays.

What is left is a row with a random name that nobody is behind, and the figures of its history, so that every sum stays
what it was. Each step can be repeated.
"""

import uuid

from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from scoreboard import attempts, held_data, ledger
from scoreboard.models import Bonus, SignUpAddress, User


class StillSuperuser(Exception):
    """A superuser is not erased by one command; the sentence says what comes first."""


def anonymise(user_id: uuid.UUID) -> bool:
    """Takes the identity off the row, and the player off every board at once; False when that was done before.

    Committed by itself, before anything else is cleared: from here on nothing new is made in this person's name. Raises
    StillSuperuser.
    """
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user_id)
        if user.is_superuser:
            raise StillSuperuser(f"{user} is a superuser: take that away in admin first.")
        if user.erased_at is not None:
            return False
        nobody, now = uuid.uuid4().hex, timezone.now()
        user.username, user.email = f"erased-{nobody}", f"{nobody}@erased.invalid"
        user.avatar_url = user.region = ""
        user.password = make_password(None)
        user.role = User.Role.PLAYER
        user.is_active, user.is_hidden = False, True
        user.last_login, user.date_joined, user.erased_at = None, now, now
        user.save()
        ledger.announce_players([user_id])
    return True


def clear(user_id: uuid.UUID) -> None:
    """Everything else the write side holds about an erased person. Raises RedisError when Redis is away."""
    with transaction.atomic():
        user = User.objects.get(pk=user_id)
        user.groups.clear()
        user.user_permissions.clear()
        SignUpAddress.objects.filter(pk=user_id).delete()
        for model in (TOTPDevice, StaticDevice):
            model.objects.filter(user_id=user_id).delete()
        # What they were signed under is gone with the password; the rows go because they name a person.
        OutstandingToken.objects.filter(user_id=user_id).delete()
        Bonus.objects.filter(user_id=user_id).update(reason="")
        held_data.log_about(user_id).update(object_repr=user.username, change_message="")
        with connection.cursor() as cursor:
            cursor.execute("SELECT score_history_forget(%s)", [user_id])
    for session in held_data.sessions(user_id):
        Session.objects.filter(pk=session.pk).delete()
    attempts.forget(user_id)
