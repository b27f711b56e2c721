"""What the watch reads. Nothing here runs in a request."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import connection

from actions.models import ActionType
from integrity.bonuses import Gift
from integrity.crowds import LEAST_SIGMA, MAD_TO_SIGMA, Population
from integrity.findings import Account, Detector, Event, Rule, Severity, Thresholds
from integrity.models import Flag, Watermark
from scoreboard import changes

MAX_EVENTS = 3000  # of one player in one look
MAX_ACCOUNTS = 500  # of one address
MAX_OUTLIERS = 1000  # of one hour
MAX_GIFTS = 100_000  # in one look

EVENTS = "SELECT * FROM watch_events(%s, %s, %s)"
# Everyone who ever scored from each address that one of these players signed up from. Banned and hidden accounts count:
# who is thrown out and comes back is what this is about.
ACCOUNTS = """
SELECT * FROM (
    SELECT a.digest, a.user_id, s.total, a.created_at, s.visible,
           row_number() OVER (PARTITION BY a.digest ORDER BY a.created_at DESC) AS nth
      FROM sign_up_addresses a
      JOIN player_standings s ON s.user_id = a.user_id
     WHERE a.digest IN (SELECT digest FROM sign_up_addresses WHERE user_id = ANY (%s)) AND a.created_at >= %s
) account WHERE nth <= %s ORDER BY digest
"""
# One pass over one hour; who stands out comes with the population they stand out of. The arithmetic is that of
# `crowds.Population`.
GAINS = """
WITH gains AS MATERIALIZED (
    SELECT h.user_id, ln(1 + sum(h.delta))::double precision AS size, sum(h.delta)::bigint AS gain
      FROM score_history h JOIN users u ON u.id = h.user_id
     WHERE h.created_at >= %(hour)s AND h.created_at < %(hour)s + interval '1 hour'
       AND h.source = 'action' AND player_visible(u)
     GROUP BY h.user_id
), middle AS (
    SELECT count(*) AS players, percentile_cont(0.5) WITHIN GROUP (ORDER BY size) AS median FROM gains
), population AS (
    SELECT m.players, m.median,
           (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(g.size - m.median)) FROM gains g) AS mad
      FROM middle m
)
SELECT p.players, p.median, p.mad, g.user_id, g.gain
  FROM population p
  LEFT JOIN LATERAL (
        SELECT g.user_id, g.gain FROM gains g
         WHERE p.players >= %(players)s AND g.size > p.median + %(z)s * greatest(%(to_sigma)s * p.mad, %(least_sigma)s)
         ORDER BY g.gain DESC LIMIT %(most)s) g ON true
"""

GIFTS = """
SELECT * FROM (
    SELECT b.actor_id, b.user_id, h.delta, h.id, extract(epoch FROM h.created_at)::double precision AS at,
           u.role <> 'player'
      FROM bonuses b
      JOIN score_history h ON h.user_id = b.user_id AND h.action_id = b.id
      JOIN users u ON u.id = b.user_id AND u.erased_at IS NULL
      JOIN users g ON g.id = b.actor_id AND g.erased_at IS NULL
     WHERE b.created_at >= %s AND b.state = 'paid'
     ORDER BY h.id DESC LIMIT %s
) gift ORDER BY at, id
"""


def page(mark: Watermark, size: int) -> list[tuple[int, uuid.UUID]]:
    """(transaction, player) of the next of the pass under way whose total changed lately."""
    after = (mark.at_transaction, mark.at_user)
    return changes.scored(mark.since, mark.until or 0, after, horizon(mark), size)


def horizon(mark: Watermark) -> datetime:
    """How far back a pass looks. A worker that was away for long catches up: nothing falls in between."""
    if mark.began_at is None:
        raise AssertionError("a pass is under way")
    return (mark.seen_until or mark.began_at) - timedelta(hours=settings.WATCH["hours"])


def events(user_ids: Sequence[uuid.UUID], since: datetime) -> dict[uuid.UUID, list[Event]]:
    """By player, the rewarded actions since then, in order of redemption; the newest MAX_EVENTS of each."""
    found = rows(EVENTS, [list(user_ids), since, MAX_EVENTS])
    return {
        user_id: [Event(*row[1:]) for row in of_player] for user_id, of_player in groupby(found, key=lambda row: row[0])
    }


def rules() -> dict[str, Rule]:
    return {
        kind.slug: Rule(kind.max_points or kind.points, float(max(kind.cooldown, kind.min_seconds)))
        for kind in ActionType.objects.all()
    }


def judged(user_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[str, datetime]]:
    """By player and detector, until when an admin has decided. Locks the players' flags until the end of the
    transaction, so that a decision made at this moment is either seen or waits.

    Who dismissed a flag has looked at the player as of then; who confirmed one has seen what it shows.
    """
    until: dict[uuid.UUID, dict[str, datetime]] = defaultdict(dict)
    flags = Flag.objects.filter(user_id__in=user_ids).order_by("pk").select_for_update()
    for flag in flags.only("user_id", "detector", "state", "decided_at", "evidence_until"):
        if flag.decided_at is None:
            continue
        end = flag.decided_at if flag.state == Flag.State.DISMISSED else flag.evidence_until
        until[flag.user_id][flag.detector] = max(end, until[flag.user_id].get(flag.detector, end))
    return until


@dataclass(frozen=True, slots=True)
class AddressGroup:
    """The scoring accounts of one address. `watched`: those of them that are on a board."""

    accounts: list[Account]
    watched: frozenset[str]
    began: float
    ended: float


def address_groups(user_ids: Sequence[uuid.UUID], since: datetime) -> list[AddressGroup]:
    """One group for each address that these players signed up from since then, without the accounts found innocent."""
    found = rows(ACCOUNTS, [list(user_ids), since, MAX_ACCOUNTS])
    flagged, innocent = verdicts([row[1] for row in found])
    others = [row for row in found if row[1] not in innocent]
    return [group_of(list(of_address), flagged) for _, of_address in groupby(others, key=lambda row: row[0])]


def verdicts(user_ids: Sequence[uuid.UUID]) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """Which of these have an open flag about their address, and whom a dismissed one found innocent: its player, and if
    it was about a mere crowd, everybody in it."""
    flagged, innocent = set[uuid.UUID](), set[uuid.UUID]()
    for flag in Flag.objects.filter(user_id__in=user_ids, detector=Detector.ADDRESS):
        if flag.state == Flag.State.OPEN:
            flagged.add(flag.user_id)
        elif flag.state == Flag.State.DISMISSED:
            innocent.add(flag.user_id)
            if flag.severity == Severity.LOW:
                innocent.update(map(uuid.UUID, flag.evidence["latest"]["accounts"]))
    return flagged, innocent


def group_of(found: list[Any], flagged: set[uuid.UUID]) -> AddressGroup:
    times = [created_at.timestamp() for _, _, _, created_at, _, _ in found]
    accounts = [Account(user_id, total, user_id in flagged) for _, user_id, total, *_ in found]
    watched = frozenset(str(user_id) for _, user_id, _, _, shown, _ in found if shown)
    return AddressGroup(accounts, watched, min(times), max(times))


def gains(hour: datetime, thresholds: Thresholds) -> tuple[Population, dict[uuid.UUID, int]]:
    """Everybody's gains of one hour, and those that stand out, at most MAX_OUTLIERS of them."""
    parameters = {
        "hour": hour,
        "players": thresholds.outlier_players,
        "z": thresholds.outlier_z,
        "to_sigma": MAD_TO_SIGMA,
        "least_sigma": LEAST_SIGMA,
        "most": MAX_OUTLIERS,
    }
    found = rows(GAINS, parameters)
    players, median, mad = found[0][:3]
    return Population(players, median or 0.0, mad or 0.0), {row[3]: row[4] for row in found if row[3] is not None}


def gifts(since: datetime) -> list[Gift]:
    """The bonuses asked for since then and paid, in order of payment; the newest MAX_GIFTS."""
    return [Gift(*row) for row in rows(GIFTS, [since, MAX_GIFTS])]


def rows(sql: str, parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
