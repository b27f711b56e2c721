"""`beat`'s clock: Celery's scheduler, for machines whose time may be set back.

Celery's own counts from when a task last ran, as the wall clock had it. Set back by an hour, it would not send a
single sweep for that hour.
"""

from datetime import timedelta
from typing import Any

from celery.beat import PersistentScheduler


class Scheduler(PersistentScheduler):
    def tick(self, *arguments: Any, **options: Any) -> float:
        self.forget_the_future()
        return float(super().tick(*arguments, **options))

    def forget_the_future(self) -> None:
        """What last ran "later than now" is due now, or, by a crontab, when it says."""
        now = self.app.now()
        for entry in self.schedule.values():
            if entry.last_run_at is not None and entry.last_run_at > now:
                entry.last_run_at = now - getattr(entry.schedule, "run_every", timedelta())
                self._heap = None  # made anew by the tick: it is in the order of times that will not come soon
