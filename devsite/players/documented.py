"""The documented passwords of the demo's accounts: good while the demo is wanted, and no longer."""

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password

from accounts.models import User
from devsite.players import people

OFF = f"{UNUSABLE_PASSWORD_PREFIX}the documented one is off"  # in the place of a hash: no password fits


def open_accounts() -> list[User]:
    """Accounts of the demo that have their documented password."""
    found = []
    for account in people.ACCOUNTS:
        user = User.objects.filter(pk=people.user_id(account.username)).first()
        if user is not None and check_password(account.password, user.password):  # and no new hash of it is stored
            found.append(user)
    return found


def switch_off() -> list[str]:
    """Returns the names of the accounts that could be entered until now. A password that was changed stays."""
    found = open_accounts()
    for user in found:
        user.set_unusable_password()  # by its own way: sign-ins end with the password
        user.password = OFF
        user.save(update_fields=["password"])
    return [user.username for user in found]


def switch_on() -> None:
    """Only where it was switched off."""
    for account in people.ACCOUNTS:
        for user in User.objects.filter(pk=people.user_id(account.username), password=OFF):
            user.set_password(account.password)
            user.save(update_fields=["password"])
