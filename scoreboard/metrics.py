"""What the write side counts."""

from prometheus_client import Counter

from scoreboard.models import ScoreHistory

SCORE_INCREMENTS = Counter("score_increment_total", "Score entries recorded.", ["source"])
SCORE_INCREMENT_FAILURES = Counter(
    "score_increment_failures_total", "Score entries refused, by problem slug.", ["reason"]
)
for source in ScoreHistory.Source.values:
    SCORE_INCREMENTS.labels(source)
PROJECTION_FAILURES = Counter(
    "scoreboard_projection_failures_total", "Announcements Redis did not take; the sweep repairs them."
)
