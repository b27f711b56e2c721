"""`manage.py reconcile_leaderboard [--check] [--board global]`"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

from leaderboard import boards, ranking, reconcile, truth
from leaderboard.boards import Board

DRIFT = 1
BUSY = 3  # 2 is a command line that cannot be understood
AWAY = 4

PATIENCE = 120.0  # a million players are rebuilt in half a minute; the lock of a process that died is free again sooner


class Command(BaseCommand):
    help = (
        "Compares history sums, totals and Redis; repairs Redis beside live traffic. "
        "Exit codes: 0 all agree, or all drift was repaired; "
        "1 drift with --check, or a total that is not the sum of its history; "
        "3 another process is reconciling or rebuilding the board; "
        "4 Redis or PostgreSQL is out of reach."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 on drift")
        parser.add_argument("--board", help="one board, by its slug, with all of its parts; default all")

    def handle(self, *, check: bool, board: str | None, **options: Any) -> None:
        kept = boards.everyone()
        chosen = [one for one in kept if board in (None, one.slug, boards.rule_slug(one.slug))]
        if not chosen:
            there = ", ".join(sorted({one.slug for one in kept}))
            raise CommandError(f"There is no board {board} to compare; there are {there}.")
        failed = False
        busy: list[str] = []
        for one in chosen:
            try:
                report = self.run(one, check)
            except reconcile.Busy as error:
                busy.append(str(error))
                continue
            self.show(report, check)
            failed |= bool(report.drift if check else report.found["ledger"])
            if report.lost and not check and not report.rebuilt:
                busy.append(f"Another process is rebuilding board {one.slug}.")
        if failed:
            for said in busy:
                self.stderr.write(said)
            sys.exit(DRIFT)
        if busy:
            raise CommandError("\n".join(busy), returncode=BUSY)

    def run(self, board: Board, check: bool) -> reconcile.Report:
        """One board, under a progress bar when a person is watching."""
        watched = sys.stderr.isatty()
        try:
            with tqdm(total=truth.size(board) if watched else None, unit="player", disable=not watched) as bar:
                return reconcile.reconcile(board, check=check, progress=bar.update, patience=PATIENCE)  # type: ignore[arg-type]
        except ranking.Unavailable as error:
            raise CommandError(f"Redis is out of reach: {error}", returncode=AWAY) from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"PostgreSQL did not answer: {error}", returncode=AWAY) from error

    def show(self, report: reconcile.Report, check: bool) -> None:
        found = ", ".join(f"{kind} {number}" for kind, number in report.found.items())
        period = "" if report.period == boards.ALL else f" {report.period}"
        self.stdout.write(f"board {report.board}{period}: compared {report.compared} players: {found}")
        if report.lost:
            self.stdout.write("  the board was lost" + ("; rebuilt from SQL" if report.rebuilt else ""))
        for kind, players in report.players.items():
            for user_id in players:
                self.stdout.write(f"  {kind}: {user_id}")
            if report.found[kind] > len(players):
                self.stdout.write(f"  {kind}: … and {report.found[kind] - len(players)} more")
        if not check and report.repaired:
            self.stdout.write(f"  repaired {report.repaired}")
        if report.found["ledger"]:
            self.stdout.write(
                "  totals that differ from their history are never repaired automatically; see docs/operations.md"
            )
