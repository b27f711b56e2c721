"""Python starts every process of a test's site with this: its clock is as many seconds ahead as TEST_CLOCK's file says.

All that tells the time of day is set (time_machine does it below Python); what measures how long something takes is
not, as on a machine whose clock is set.
"""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

LOOK_SECONDS = 0.05


class Clock:
    """Of this process, and after a fork of its child."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ahead = 0
        self.coordinates: time_machine.Traveller | None = None
        self.follow()
        os.register_at_fork(after_in_child=self.follow)

    def follow(self) -> None:
        self.look()
        threading.Thread(target=self.keep_looking, daemon=True).start()

    def keep_looking(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        wanted = int(self.path.read_text()) if self.path.exists() else 0
        if wanted == self.ahead:
            return
        if self.coordinates is None:
            self.coordinates = time_machine.travel(datetime.now(UTC), tick=True).start()
        self.coordinates.shift(timedelta(seconds=wanted - self.ahead))
        self.ahead = wanted


if "TEST_CLOCK" in os.environ:
    Clock(Path(os.environ["TEST_CLOCK"]))
