"""Mails to players: to confirm an address, to set a forgotten password. The worker makes and sends them.

What is asked for is handed to the worker alike for every address, so that neither the answer nor its time tells
whether an account has the address.
"""

from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.core.mail import get_connection, send_mail
from django.db.models import Value
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac

from accounts import passwords
from accounts.models import User
from api import broker
from api.problems import Problem
from api.site_path import path_of
from api.throttles import charge, hit

log = structlog.get_logger(__name__)

EXPIRES_SECONDS = 3600  # a mail that no worker sends within it is not sent
CONFIRMATION, RESET = "accounts.tasks.mail_confirmation", "accounts.tasks.mail_reset"


def ask_to_confirm(user: User, request: HttpRequest | None) -> None:
    """Has a mail sent when there is a mail server; a sign-up does not fail with the queue."""
    if not settings.EMAIL_URL:
        return
    try:
        hand_over(CONFIRMATION, str(user.pk), site(request))
    except broker.BrokerAway as error:
        log.warning("confirmation_not_sent", error=str(error))


def ask_for_reset(email: str, request: HttpRequest) -> None:
    """Has a mail sent if this is the address of an account with a password. Raises Problem unavailable."""
    try:
        hand_over(RESET, email, site(request))
    except broker.BrokerAway as error:
        raise Problem("unavailable", "Mails cannot be sent right now.", headers={"Retry-After": "10"}) from error


def hand_over(task: str, *args: str) -> None:
    """To the worker. Raises BrokerAway."""
    broker.hand_over(task, *args, expires=EXPIRES_SECONDS)


def site(request: HttpRequest | None) -> str:
    """Where links lead: SITE_URL, or the host that was asked; "" where any host could have been asked."""
    if settings.SITE_URL or request is None:
        return str(settings.SITE_URL).rstrip("/")
    return "" if any_host() else request.build_absolute_uri("/").rstrip("/")


def any_host() -> bool:
    return any(host == "*" or host.startswith(".") for host in settings.ALLOWED_HOSTS)


def send_confirmation(user_id: str, site: str, *, charged: bool) -> None:
    """`charged`: this is a retry, which LIMIT_MAIL does not count."""
    user = User.objects.filter(pk=user_id, is_active=True, email_confirmed_at=None).first()
    if user is not None:
        send(
            user, "Confirm your address", "confirm", passwords.CONFIRM, path_of("confirm-email"), site, charged=charged
        )


def send_reset(email: str, site: str, *, charged: bool) -> None:
    """To the address as it was signed up, not as it was typed just now."""
    mailed = User.objects.exclude(email="").alias(small=Lower("email"))  # the index's own words
    found = mailed.filter(small=Lower(Value(email)), is_active=True).first()
    if found is not None and found.has_usable_password():
        send(found, "Set a new password", "reset", passwords.RESET, path_of("reset-confirm"), site, charged=charged)


def send(user: User, subject: str, template: str, purpose: str, path: str, site: str, *, charged: bool) -> None:
    """Sends it, unless this mailbox has had LIMIT_MAIL already."""
    mailbox = salted_hmac("accounts.mail", user.email.lower(), algorithm="sha256").hexdigest()
    try:
        if not charged:
            hit(charge("mail", mailbox))
    except Problem:
        log.warning("mail_limit_reached", user_id=str(user.pk))
        return
    # No word of a stranger's in a mail to a person who did not sign up: the name is said once the address is confirmed.
    token = passwords.token_for(user, purpose)
    link = f"{site}{path}?{urlencode({'token': token})}" if site else ""
    text = render_to_string(f"accounts/mail_{template}.txt", {"user": user, "link": link, "token": token})
    with get_connection() as connection:  # which ends also where the server refuses the sign-in
        send_mail(subject, text, None, [user.email], connection=connection)
