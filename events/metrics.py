"""What was told, and what was not."""

from prometheus_client import Counter

EVENTS = Counter("scoreboard_events_total", "Events that a sink has confirmed.", ["sink"])
EVENT_FAILURES = Counter("scoreboard_event_failures_total", "Attempts to tell a sink that failed.", ["sink"])
