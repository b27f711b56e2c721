"""`manage.py load_demo`: people and scores to look at, in a database that has none."""

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from accounts.models import User
from devsite import address, demo_boards, demo_key
from devsite.players import people
from devsite.players.password import shared_password
from scoreboard import ledger, periods
from scoreboard.models import ScoreHistory

LOCK = 0x5C0DE  # two starts at one moment: the second waits, then finds the demo loaded


class Command(BaseCommand):
    help = (
        "Adds demo accounts (admin/admin-demo, mod/mod-demo, alice/alice-demo), players with scores and boards to an "
        "empty database. Where the demo is already loaded, only points the avatars at this site's address; refuses "
        "where other people are."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError rather than put accounts with known passwords beside real ones."""
        if settings.HTTPS:
            raise CommandError("HTTPS is on, so this is no demo of accounts with known passwords; start with DEMO=0.")
        home = Path(settings.SCOREBOARD_HOME)
        avatars = people.avatars(address.origin(address.host(), address.port()))
        if kept(avatars):
            demo_key.ensure(home)
            return
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if kept(avatars):
                return
            if User.objects.exists():
                raise CommandError(
                    "This database has users already, and not from the demo. Accounts with known passwords are "
                    "added to an empty database only; start with DEMO=0, or use another DATABASE_URL."
                )
            add_people(avatars)
            demo_boards.add()
            outcomes = ledger.record(entries())
            ledger.announce(outcome.standing for outcome in outcomes)
        periods.keep()
        demo_key.ensure(home)


def kept(avatars: dict[uuid.UUID, str]) -> bool:
    """Whether the demo is loaded; if so, its avatars come from the address that the site has now.

    All of the demo is added in one transaction: one of its accounts means all were there once. What people did to
    them since (a new password, a rename, a hide, another avatar) stays.
    """
    found = {user.pk: user for user in User.objects.filter(pk__in=avatars).only("pk", "avatar_url")}
    moved = [
        user for user in found.values() if people.AVATARS in user.avatar_url and user.avatar_url != avatars[user.pk]
    ]
    if moved:
        for user in moved:
            user.avatar_url = avatars[user.pk]
        User.objects.bulk_update(moved, ["avatar_url"])
        ledger.announce_players([user.pk for user in moved])
    return any(people.user_id(account.username) in found for account in people.ACCOUNTS)


def add_people(avatars: dict[uuid.UUID, str]) -> None:
    accounts = [
        User(
            id=people.user_id(account.username),
            username=account.username,
            email=f"{account.username}@demo.invalid",
            password=make_password(account.password),
            role=account.role,
            region=account.region,
            is_staff=account.role == User.Role.ADMIN,
            is_superuser=account.superuser,
        )
        for account in people.ACCOUNTS
    ]
    password = make_password(shared_password(Path(settings.SCOREBOARD_HOME)))  # once: hashing is slow on purpose
    players = [
        User(
            id=people.user_id(username),
            username=username,
            email=people.email(number),
            password=password,
            region=region,
        )
        for number, (username, region, _, _) in enumerate(people.PLAYERS)
    ]
    for user in (*accounts, *players):
        user.avatar_url = avatars[user.pk]
    User.objects.bulk_create([*accounts, *players])


def entries() -> list[ledger.Entry]:
    """Three steps for each player, so that there is a history to read: earned, so that they count on every board."""
    totals = [(account.username, account.total) for account in people.ACCOUNTS if account.total]
    totals += [(username, total) for username, _, total, _ in people.PLAYERS]
    return [
        ledger.Entry(
            user_id=people.user_id(username),
            action_id=people.action_id(username, step),
            source=ScoreHistory.Source.AWARD,
            action_type="COMPLETE_TASK",
            delta=delta,
            reason="Demo data",
        )
        for username, total in totals
        for step, delta in enumerate(steps(total), start=1)
    ]


def steps(total: int) -> tuple[int, int, int]:
    """`total`, 3 or more, as three unequal parts."""
    return total - total // 2 - total // 3, total // 3, total // 2
