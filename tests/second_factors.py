"""An admin with a second factor, at the door of the admin site."""

import time
from typing import Any

from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from tests.people import PASSWORD

LOGIN = "/admin/login/"


def app_code(user: User, steps: int = 0) -> str:
    """What the admin's app shows now, or so many half minutes later."""
    totp = TOTP(TOTPDevice.objects.get(user=user).bin_key)
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06}"


def enter(code: str | None, client: Client | None = None, password: str = PASSWORD) -> Any:
    body = {"username": "root", "password": password, **({} if code is None else {"code": code})}
    return (client or Client()).post(LOGIN, body)


def forgive(user: User) -> None:
    """As if the wait after a wrong code were over."""
    for model in (TOTPDevice, StaticDevice):
        model.objects.filter(user=user).update(throttling_failure_count=0, throttling_failure_timestamp=None)
