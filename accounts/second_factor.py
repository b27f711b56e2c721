"""The second factor of the admin site: a code from an authenticator app, or a recovery code, each good once."""

import re

from django.db import transaction
from django.http import HttpRequest
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User

RECOVERY_CODES = 10
APP_CODE = re.compile(r"[0-9]{6}", re.ASCII)
RECOVERY_CODE = re.compile(r"[a-z2-7]{8}", re.ASCII)
MAX_CODE = 16  # characters, with the spaces that apps and people put in


class AlreadyEnrolled(Exception):
    """There is a second factor; only who asks for another one replaces it."""


def enroll(user: User, *, replace: bool = False) -> tuple[str, list[str]]:
    """(the otpauth URI of a new authenticator, recovery codes), which nothing shows again. Raises AlreadyEnrolled.

    Sessions that signed in with the former one are asked again.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        former = [model.objects.filter(user=user) for model in (TOTPDevice, StaticDevice)]
        if not replace and any(devices.exists() for devices in former):
            raise AlreadyEnrolled(f"{user} has a second factor already.")
        for devices in former:
            devices.delete()
        app = TOTPDevice.objects.create(user=user, name="app")
        recovery = StaticDevice.objects.create(user=user, name="recovery codes")
        codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=recovery, token=code) for code in codes)
    return app.config_url, codes


def prove(user: User, code: str) -> Device | None:
    """What the code proves, and spends it; None for a wrong one, one used before, and while wrong ones are waited out.

    The device's row is locked: of two uses of one code at one moment one succeeds.
    """
    text = code.replace(" ", "").lower()
    model = TOTPDevice if APP_CODE.fullmatch(text) else StaticDevice if RECOVERY_CODE.fullmatch(text) else None
    if model is None:
        return None
    with transaction.atomic():
        device = model.objects.select_for_update().filter(user=user, confirmed=True).first()
        return device if device is not None and device.verify_token(text) else None


def proved(request: HttpRequest) -> bool:
    """Whether this session was signed in to with a code of a device that its user still has."""
    device = Device.from_persistent_id(request.session.get(DEVICE_ID_SESSION_KEY, "/"))
    return device is not None and device.confirmed and device.user_id == request.user.pk
