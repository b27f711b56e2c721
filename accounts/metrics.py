"""What accounts count."""

from prometheus_client import Counter

AUDIT_LEFT_OUT = Counter(
    "scoreboard_audit_left_out_total", "Refusals that are in the audit log as a number only: the minute was full."
)
