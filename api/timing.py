"""What a call of PostgreSQL or Redis takes: observed in a histogram, and a block of the trace when traces are on."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from prometheus_client import Histogram

from api import tracing
from api.metrics import REDIS_SECONDS, SQL_SECONDS

T = TypeVar("T")


class Timer:
    """`with timer("top"):` times one call under this label."""

    def __init__(self, histogram: Histogram, system: str) -> None:
        self.histogram = histogram
        self.system = system
        self.children: dict[str, Histogram] = {}  # looking a label up costs as much as observing

    def __call__(self, label: str) -> "Block":
        child = self.children.get(label)
        if child is None:
            child = self.children[label] = self.histogram.labels(label)
        return Block(child, self.system, label)


class Block:
    __slots__ = ("child", "label", "span", "started", "system")

    def __init__(self, child: Histogram, system: str, label: str) -> None:
        self.child, self.system, self.label = child, system, label
        self.span: AbstractContextManager[Any] | None = None

    def __enter__(self) -> None:
        if tracing.is_on():
            self.span = tracing.span(f"{self.system} {self.label}", kind="CLIENT", db__system__name=self.system)
            self.span.__enter__()
        self.started = time.perf_counter()

    def __exit__(self, *exception: Any) -> None:
        self.child.observe(time.perf_counter() - self.started)
        if self.span is not None:
            self.span.__exit__(*exception)


on_redis = Timer(REDIS_SECONDS, "redis")
on_sql = Timer(SQL_SECONDS, "postgresql")

_named: dict[str, str] = {}
VERBS = frozenset(("select", "insert", "update", "delete"))


def named(name: str, sql: str) -> str:
    """Has this statement timed under a name of its own; returns it."""
    _named[sql] = name
    return sql


def name_of(sql: Any) -> str:
    """The statement's own name, else its verb: a few names, whatever the statements are."""
    if not isinstance(sql, str):
        return "other"
    if (name := _named.get(sql)) is None:
        verb = sql[:16].lstrip()[:6].lower()
        name = verb if verb in VERBS else "other"
    return name


def timed(execute: Callable[..., T], sql: Any, parameters: Any, many: bool, context: dict[str, Any]) -> T:
    """Django's `execute_wrapper` of every connection (api/postgresql/base.py)."""
    with on_sql(name_of(sql)):
        return execute(sql, parameters, many, context)
