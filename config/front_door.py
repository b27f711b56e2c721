"""What `manage.py doctor` sees when it comes as a visitor does: to SITE_URL, through every proxy there is."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from api.checks import ALONE, installation
from api.tls import trusted

SECONDS = 10.0
CERTIFICATE_DAYS = 14
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # of RFC 6455; any will do
}


@installation.register(ALONE)
def front_door(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Nothing is asked without SITE_URL."""
    if not settings.SITE_URL:
        return []
    try:
        return list(as_a_visitor(settings.SITE_URL.rstrip("/") + settings.SITE_PATH))
    except ssl.SSLCertVerificationError as error:
        hint = "Renew it, or serve the intermediate certificates with it."
        return [
            Error(
                f"Browsers refuse the certificate of {settings.SITE_URL}: {error.verify_message}",
                hint=hint,
                id="doctor.E070",
            )
        ]
    except (OSError, HTTPException, ValueError) as error:
        hint = "Is the proxy up, does the name lead to it, and may this machine ask it? Is SITE_URL right?"
        return [
            Error(f"{settings.SITE_URL} does not answer: {type(error).__name__}: {error}", hint=hint, id="doctor.E071")
        ]


def as_a_visitor(site: str) -> Iterator[CheckMessage]:
    status, location, days = ask(f"{site}/")
    if days is not None and days < CERTIFICATE_DAYS:
        hint = "Renew it; see why the proxy did not."
        yield Warning(f"The certificate of {site} ends in {days} days.", hint=hint, id="doctor.W072")
    if location and urljoin(f"{site}/", location) == f"{site}/":
        hint = "The proxy must send X-Forwarded-Proto: https, and TRUSTED_PROXIES must count it."
        yield Error(f"{site}/ redirects to itself for ever.", hint=hint, id="doctor.E073")
        return
    if status != 200:
        hint = "400: is its name in ALLOWED_HOSTS? 404: does the proxy take the path away? 502, 503: is `web` up?"
        yield Error(f"{site}/ answers {status}; expected 200.", hint=hint, id="doctor.E074")
        return
    status, *_ = ask(f"{site}/scoreboard/live", **UPGRADE)
    if status not in (101, 401, 403):  # a board for signed-in viewers alone refuses
        hint = "The proxy must pass Upgrade and Connection for /scoreboard/live (deploy/); viewers poll meanwhile."
        yield Error(
            f"No WebSocket comes through: {site}/scoreboard/live answers {status}.", hint=hint, id="doctor.E075"
        )


def ask(url: str, **headers: str) -> tuple[int, str | None, int | None]:
    """(status, where it redirects to, days until the certificate ends). Raises OSError, HTTPException, ValueError."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connection = (
        HTTPSConnection(parts.netloc, timeout=SECONDS, context=trusted(settings.CA_FILE))
        if secure
        else HTTPConnection(parts.netloc, timeout=SECONDS)
    )
    with closing(connection):
        connection.request("GET", parts.path, headers={"User-Agent": "doctor", **headers})
        days = None
        if isinstance(connection.sock, ssl.SSLSocket):
            certificate: Any = connection.sock.getpeercert()
            ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
            days = (ends - datetime.now(UTC)).days
        answer = connection.getresponse()
        return answer.status, answer.headers["Location"], days
