"""`beat` on a machine whose clock is set back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine
from celery.beat import PersistentScheduler, ScheduleEntry

from config.beat import Scheduler
from config.celery import app

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sent(kind: type[PersistentScheduler], folder: Path) -> list[str]:
    """What is sent, in order, in the minute after the clock was set back by an hour."""
    names: list[str] = []

    class Noted(kind):  # type: ignore[misc, valid-type]
        def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:
            names.append(str(entry.name))

    with time_machine.travel(NOON, tick=False) as clock:
        scheduler = Noted(app, schedule_filename=str(folder / "beat"))
        try:
            for _ in range(2):
                names.clear()
                for _ in range(60):
                    clock.shift(1)
                    while scheduler.tick() == 0:
                        pass
                clock.shift(-HOUR)
        finally:
            scheduler.close()
    return names


def test_set_back_by_an_hour_it_goes_on_at_once(tmp_path: Path) -> None:
    names = sent(Scheduler, tmp_path)
    assert names.count("sweep") == 6
    assert names.count("resend-queued") == 2
    assert names.count("watch") == 1
    assert "reconcile" not in names


def test_the_control_celerys_own_stands_still(tmp_path: Path) -> None:
    assert sent(PersistentScheduler, tmp_path) == []


def test_it_is_what_beat_runs() -> None:
    assert app.conf.beat_scheduler == f"{Scheduler.__module__}:{Scheduler.__name__}"
