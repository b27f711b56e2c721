"""Notices by a real mail server: STARTTLS with a certificate that is verified, a sign-in, and a refusal that passes."""

import email
import email.policy
import gc
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from environ import Env
from pytest_django.fixtures import Settings

import overview.watch
from accounts.models import User
from overview.models import Notice
from tests.integrity.cases import flagged
from tests.support.processes import eventually
from tests.support.tls import certificate
from tests.system.live.server import free_port

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = LoginPassword(b"ops@example.org", b"p%ss:w/rd")


class Listening(Controller):
    """An SMTP server that knows its connections."""

    def __init__(self, *given: Any, **options: Any) -> None:
        self.connections: list[SMTP] = []
        super().__init__(*given, **options)

    def factory(self) -> SMTP:
        self.connections.append(super().factory())  # type: ignore[no-untyped-call]
        return self.connections[-1]

    def open(self) -> list[SMTP]:
        return [connection for connection in self.connections if connection.transport is not None]


class MailServer:
    """What it was handed, and how it answers that."""

    def __init__(self, folder: Path) -> None:
        self.authority = certificate(folder)
        self.got: list[Any] = []
        self.answer = "250 OK"
        self.port = free_port()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.controller = Listening(
            self,
            hostname="127.0.0.1",
            port=self.port,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=lambda *said: AuthResult(success=said[-1] == LOGIN, handled=False),
        )
        self.controller.start()

    async def handle_DATA(self, _: Any, session: Any, envelope: Any) -> str:
        assert session.ssl is not None
        self.got.append(envelope)
        return self.answer

    def address(self, own: str = "p%25ss%3Aw%2Frd") -> str:
        return f"smtp+tls://ops%40example.org:{own}@localhost:{self.port}"


@pytest.fixture
def mail_server(tmp_path: Path) -> Iterator[MailServer]:
    server = MailServer(tmp_path)
    yield server
    eventually(lambda: not server.controller.open(), "every connection has ended")
    server.controller.stop()
    gc.collect()  # a connection that only the collector ended is an error of this test


@pytest.fixture
def watched(
    mail_server: MailServer, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[..., str]:
    """Looks and mails once, with this EMAIL_URL, trusting this authority; returns what is logged of it."""
    settings.DEFAULT_FROM_EMAIL, settings.SITE_URL = "Scores <scores@example.org>", "https://scores.example.org"
    settings.NOTIFY_EMAILS = ["lead@example.org", "ops@example.org"]

    def watch(address: str = "", authority: str = str(mail_server.authority)) -> str:
        for name, value in Env.email_url_config(address or mail_server.address()).items():  # as config/settings.py does
            setattr(settings, name, value)
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        caplog.clear()
        overview.watch.once()
        return caplog.text

    return watch


def test_a_notice_arrives_once_by_tls_and_with_the_sign_in(
    alice: User, mail_server: MailServer, watched: Callable[..., str]
) -> None:
    flagged(alice, [])
    assert "CERTIFICATE_VERIFY_FAILED" in watched(authority="")
    assert "SMTPAuthenticationError" in watched(mail_server.address("wrong"))
    assert mail_server.got == []
    mail_server.answer = "451 Try again later"
    assert "Try again later" in watched()
    assert Notice.objects.values_list("mailed_at", "tries").get() == (None, 3)

    mail_server.answer = "250 OK"
    mail_server.got.clear()
    for _ in range(2):
        watched()
    [envelope] = mail_server.got
    assert (envelope.mail_from, envelope.rcpt_tos) == ("scores@example.org", ["lead@example.org", "ops@example.org"])
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert (message["From"], message["To"]) == ("Scores <scores@example.org>", "lead@example.org, ops@example.org")
    assert message["Subject"] == "Suspicious play was flagged (scores.example.org)"
    body = message.get_body()
    assert body is not None
    assert "https://scores.example.org/admin/integrity/flag/" in body.get_content()
