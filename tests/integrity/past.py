"""Actions as they would have been recorded at other times than now: the ledger's clock is the clock."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from integrity import detectors
from integrity.findings import SENTENCES, Event, Finding, Rule, Thresholds

RULES = {"TASK": Rule(10, 0), "QUIZ": Rule(20, 45), "MATCH": Rule(50, 120)}
THRESHOLDS = Thresholds(
    actions_per_minute=30,
    points_per_minute={},
    regular_run=30,
    regular_cv=0.12,
    regular_long_run=150,
    regular_long_cv=0.22,
    instant_run=12,
    instant_seconds=1.0,
    tireless_hours=22,
    outlier_z=4.0,
    outlier_players=30,
    address_accounts=5,
    address_crowd=30,
    address_days=7,
    bonus_points=5000,
    bonus_share=0.5,
    bonus_times=10.0,
    bonus_days=30,
)

HISTORY = """
INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version, reason,
                           request_id, created_at)
SELECT %(user)s, e.action, 'action', %(type)s, %(points)s, %(total)s + %(points)s * (e.nth - 1),
       %(total)s + %(points)s * e.nth, e.nth, '', '', to_timestamp(e.redeemed)
  FROM unnest(%(actions)s::uuid[], %(redeemed)s::float8[]) WITH ORDINALITY AS e(action, redeemed, nth)
RETURNING id
"""
TOKENS = """
INSERT INTO action_tokens (id, user_id, action_type, points, issued_at, not_before, expires_at, redeemed_at)
SELECT e.action, %(user)s, %(type)s, %(points)s, to_timestamp(e.issued), to_timestamp(e.issued + %(floor)s),
       to_timestamp(e.redeemed + 60), to_timestamp(e.redeemed)
  FROM unnest(%(actions)s::uuid[], %(issued)s::float8[], %(redeemed)s::float8[]) AS e(action, issued, redeemed)
"""
SCORE = """
UPDATE user_scores
   SET total = total + %(gain)s, version = version + %(count)s, reached_at = to_timestamp(%(reached)s),
       changed_xid = pg_current_xact_id()::text::bigint
 WHERE user_id = %(user)s
RETURNING total - %(gain)s
"""


def played(
    user: User,
    redeemed: Sequence[float],
    action_type: str = "COMPLETE_TASK",
    points: int = 10,
    *,
    took: float = 0.2,
    floor: float = 0.0,
) -> list[int]:
    """Records actions redeemed at these Unix times, `took` seconds after their tokens; returns their history ids."""
    values: dict[str, Any] = {
        "user": user.pk,
        "type": action_type,
        "points": points,
        "floor": floor,
        "actions": [uuid.uuid4() for _ in redeemed],
        "redeemed": list(redeemed),
        "issued": [moment - took for moment in redeemed],
        "gain": points * len(redeemed),
        "count": len(redeemed),
        "reached": max(redeemed),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SCORE, values)
        values["total"] = cursor.fetchone()[0]
        cursor.execute(HISTORY, values)
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(TOKENS, values)
    return ids


def every(seconds: float, count: int, *, ago: float = 60.0) -> list[float]:
    """`count` Unix times, `seconds` apart, the last one `ago` seconds before now."""
    now = timezone.now().timestamp() - ago
    return [now - seconds * back for back in reversed(range(count))]


def human(count: int, *, median: float = 20.0, spread: float = 0.6, seed: int = 1) -> list[float]:
    """`count` moments with lognormal intervals, from 0."""
    random, now, moments = Random(seed), 0.0, list[float]()
    for _ in range(count):
        moments.append(now)
        now += median * random.lognormvariate(0, spread)
    return moments


def events(
    redeemed: Sequence[float],
    action_type: str = "TASK",
    *,
    issued: Sequence[float] | None = None,
    points: int = 10,
    floor: float = 0.0,
) -> list[Event]:
    """Events redeemed at these times, their tokens issued a moment before or at the given times."""
    starts = issued if issued is not None else [moment - 0.2 for moment in redeemed]
    return [
        Event(number, action_type, points, start, start + floor, moment)
        for number, (start, moment) in enumerate(zip(starts, redeemed, strict=True), start=1)
    ]


def ticking(count: int, seconds: float = 40.0, jitter: float = 0.0, seed: int = 3) -> list[float]:
    random, now, moments = Random(seed), 0.0, list[float]()
    for _ in range(count):
        moments.append(now)
        now += seconds * random.uniform(1 - jitter, 1 + jitter)
    return moments


def found(actions: Sequence[Event], **thresholds: Any) -> dict[str, Finding]:
    """What the detectors find, by detector; every finding can be said in words."""
    findings = detectors.find(actions, RULES, replace(THRESHOLDS, **thresholds))
    for finding in findings:
        assert SENTENCES[finding.detector].format(**finding.numbers)
        assert finding.history_ids == tuple(sorted(set(finding.history_ids)))
    return {finding.detector.value: finding for finding in findings}
