"""What watching counts."""

from prometheus_client import Counter

from integrity.findings import Detector

FLAGS = Counter("scoreboard_flags_total", "Flags opened by the scan.", ["detector"])

for detector in Detector:
    FLAGS.labels(detector.value)
