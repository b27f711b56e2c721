"""Whether what the site stands on answers, asked at each scrape."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.metrics import SITE
from config import health


class Parts(Collector):
    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "scoreboard_up",
            "1 while this process can use the part; 0 also for a PostgreSQL that takes no writes.",
            labels=["part"],
        )
        up.add_metric(["postgresql"], health.postgresql() == "ok")
        up.add_metric(["redis"], health.redis() == "ok")
        yield up


SITE.register(Parts())
