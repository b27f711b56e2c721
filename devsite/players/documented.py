"""The documented passwords of the demo's accounts: good while the demo is wanted, and no longer."""

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX

from accounts.models import User
from devsite.players import people

OFF = f"{UNUSABLE_PASSWORD_PREFIX}the documented one is off"  # in the place of a hash: no password fits


def switch_off() -> list[str]:
    """Returns the names of the accounts that could be entered until now. A password that was changed stays."""
    found = []
    for account in people.ACCOUNTS:
        user = User.objects.filter(pk=people.user_id(account.username)).first()
        if user is not None and user.check_password(account.password):
            user.set_unusable_password()  # by its own way: sign-ins end with the password
            user.password = OFF
            user.save(update_fields=["password"])
            found.append(user.username)
    return found


def switch_on() -> None:
    """Only where it was switched off."""
    for account in people.ACCOUNTS:
        for user in User.objects.filter(pk=people.user_id(account.username), password=OFF):
            user.set_password(account.password)
            user.save(update_fields=["password"])
