"""Celery tasks of the write side. Idempotent; running one twice, or two at once, does no harm."""

from celery import shared_task

from scoreboard import periods


@shared_task(name="scoreboard.tasks.keep_boards")
def keep_boards() -> None:
    """Every 10 s, and when a board was edited: periods are made ahead of their time, filled and closed."""
    periods.keep()


@shared_task(name="scoreboard.tasks.purge_standings")
def purge_standings() -> None:
    """Nightly: what boards that are gone left behind."""
    periods.purge_stray()
