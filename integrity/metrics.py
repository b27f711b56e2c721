"""What watching counts."""

from prometheus_client import Counter

FLAGS = Counter("scoreboard_flags_total", "Flags opened by the watch.", ["detector"])
