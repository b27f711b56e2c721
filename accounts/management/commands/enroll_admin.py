"""`manage.py enroll_admin root [--replace]`"""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import second_factor
from accounts.models import User
from accounts.roles import may_enter


class Command(BaseCommand):
    help = "Gives an admin or moderator a second factor: prints what an authenticator app reads, and recovery codes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the name of an admin or a moderator")
        parser.add_argument("--replace", action="store_true", help="in place of the one there is, which ends")

    def handle(self, *, user: str, replace: bool, **options: Any) -> None:
        admin = User.objects.named(user).first()
        if admin is None or not may_enter(admin):
            raise CommandError(f"There is no admin or moderator {user!r}.")
        try:
            uri, codes = second_factor.enroll(admin, replace=replace)
        except second_factor.AlreadyEnrolled as error:
            raise CommandError(f"{error} A lost one is replaced with --replace.") from error
        self.stdout.write(f"{uri}\n\nRecovery codes, each good once:\n" + "\n".join(codes))
        self.stderr.write("Shown this once: add the first line to an authenticator app, and keep the codes elsewhere.")
        if not settings.ADMIN_OTP:
            self.stderr.write("ADMIN_OTP is off: no admin is asked for a code yet.")
