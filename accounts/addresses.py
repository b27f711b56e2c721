"""From which address an account was signed up, as a keyed hash: enough to see that many came from one, not from which.

Without SECRET_KEY, which is not in the database, the hashes cannot be turned back by trying all addresses.
"""

import ipaddress
import uuid
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import purging
from accounts.models import SignUpAddress
from api.client_address import client_address


def address_digest(request: HttpRequest) -> str | None:
    """The hash of the client's address (of its /64 for IPv6); None for one that tells nothing of who is behind it.

    That is one of this machine or of a private network: a proxy that TRUSTED_PROXIES does not know, say, behind which
    every player of the site would look like one.
    """
    address = client_address(request)
    try:
        public = ipaddress.ip_address(address.partition("/")[0]).is_global
    except ValueError:
        return None
    return digest(address) if public else None


def digest(address: str) -> str:
    """The hash under which an address is stored."""
    return salted_hmac("accounts.addresses", address, algorithm="sha256").hexdigest()


def remember(user_id: uuid.UUID, digest: str | None) -> None:
    """Keeps where this new account came from."""
    if digest:
        SignUpAddress.objects.create(user_id=user_id, digest=digest, created_at=timezone.now())


def purge(chunk: int = 5000) -> int:
    """Forgets addresses older than WATCH_ADDRESS_RETENTION_DAYS, in short transactions; returns how many."""
    before = timezone.now() - timedelta(days=settings.WATCH["address_retention_days"])
    return purging.purge(SignUpAddress.objects.filter(created_at__lt=before), chunk)
