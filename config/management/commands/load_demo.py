"""`manage.py load_demo`: people and scores to look at, in a database that has none."""

from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from accounts.models import User
from config import demo
from scoreboard import ledger
from scoreboard.models import ScoreHistory

LOCK = 0x5C0DE  # two starts at one moment: the second waits, then finds the demo loaded


class Command(BaseCommand):
    help = (
        "Adds demo accounts (admin/admin-demo, mod/mod-demo, alice/alice-demo) and players with scores to an "
        "empty database. Does nothing where the demo is already loaded; refuses where other people are."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError rather than put accounts with known passwords beside real ones."""
        if loaded():
            return
        if settings.HTTPS:
            raise CommandError("HTTPS is on, so this is no demo: accounts with known passwords are not added.")
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if loaded():
                return
            if User.objects.exists():
                raise CommandError(
                    "This database has users already, and not from the demo. Accounts with known passwords are "
                    "added to an empty database only; start with DEMO=0, or use another DATABASE_URL."
                )
            add_people()
            outcomes = ledger.record(entries())
            ledger.announce(outcome.standing for outcome in outcomes)


def loaded() -> bool:
    """All of the demo is added in one transaction: one of its accounts means all were there once. What people did
    to them since (a new password, a rename, a hide) stays."""
    return User.objects.filter(pk__in=[demo.user_id(account.username) for account in demo.ACCOUNTS]).exists()


def add_people() -> None:
    accounts = [
        User(
            id=demo.user_id(account.username),
            username=account.username,
            email=f"{account.username}@demo.invalid",
            password=make_password(account.password),
            role=account.role,
            is_staff=account.role == User.Role.ADMIN,
            is_superuser=account.superuser,
        )
        for account in demo.ACCOUNTS
    ]
    players = [
        User(
            id=demo.user_id(username),
            username=username,
            email=f"player-{number}@demo.invalid",
            password=make_password(None),
            region=region,
        )
        for number, (username, region, _) in enumerate(demo.PLAYERS, start=1)
    ]
    User.objects.bulk_create([*accounts, *players])


def entries() -> list[ledger.Entry]:
    """Three steps for each player, so that there is a history to read."""
    totals = [(account.username, account.total) for account in demo.ACCOUNTS if account.total]
    totals += [(username, total) for username, _, total in demo.PLAYERS]
    actor = demo.user_id("admin")
    return [
        ledger.Entry(
            user_id=demo.user_id(username),
            action_id=demo.action_id(username, step),
            source=ScoreHistory.Source.ADJUSTMENT,
            delta=delta,
            actor_id=actor,
            reason="Demo data",
        )
        for username, total in totals
        for step, delta in enumerate(steps(total), start=1)
    ]


def steps(total: int) -> tuple[int, int, int]:
    """`total`, 3 or more, as three unequal parts."""
    return total - total // 2 - total // 3, total // 3, total // 2
