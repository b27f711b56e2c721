"""What a person decides about a flag. Each decision is one transaction: measure, state and admin log commit together.

hide, revert and ban confirm the flag, and more than one of them may be taken; dismiss ends it. Repeating one is
harmless.
"""

import uuid
from collections.abc import Callable, Mapping

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection, transaction
from django.utils import timezone

from accounts import visibility
from accounts.models import SignIn, User
from integrity.models import Flag
from scoreboard import ledger
from scoreboard.approvals import NotPossible
from scoreboard.ledger import Entry
from scoreboard.models import ScoreHistory, UserScore

# The compensating entry of a history row has an id of its own making, so that the ledger refuses a second one for ever.
REVERTS = uuid.UUID("6c1a5a0c-0f0e-5f0b-9d57-6a7d1d6f3b41")
CHUNK = 1000  # entries of one ledger call

# The flagged rows not taken back yet, oldest first: (history id, points).
TO_REVERT = """
SELECT h.id, h.delta
  FROM flagged_entries e JOIN score_history h ON h.id = e.history_id
 WHERE e.flag_id = %s AND h.source IN ('action', 'bonus') AND h.delta > 0
 ORDER BY h.id
"""


def decide(flag_id: int, measure: str, actor: User, note: str, *, shown: int | None = None) -> str:
    """Takes this measure (a key of MEASURES) and returns what was done, as a sentence.

    `shown`: the points that the actor was told a revert takes back.
    Raises NotPossible when the flag was dismissed meanwhile, would be dismissed after a measure was taken, has nothing
    to revert or more than was shown, or is the actor's own.
    """
    with transaction.atomic():
        flag = Flag.objects.select_for_update().get(pk=flag_id)
        if flag.user_id == actor.pk:
            raise NotPossible(f"{flag} is about yourself; another admin decides it.")
        if flag.state == Flag.State.DISMISSED:
            raise NotPossible(f"{flag} was dismissed; new evidence opens a new flag.")
        if measure == "dismiss" and flag.state != Flag.State.OPEN:
            raise NotPossible(f"{flag} is confirmed: “{flag.measures}” was done.")
        if measure == "revert" and shown is not None and (now := revertible(flag)) > shown:
            raise NotPossible(f"{flag} has new evidence: it is {now} points by now, and not {shown}. Look at it again.")
        done = MEASURES[measure](flag, actor, note)
        flag.state = Flag.State.DISMISSED if measure == "dismiss" else Flag.State.CONFIRMED
        flag.decided_by, flag.decided_at = actor, timezone.now()
        flag.measures = ", ".join(dict.fromkeys([*filter(None, flag.measures.split(", ")), measure]))
        flag.note = "\n".join(filter(None, [flag.note, note]))
        flag.save(update_fields=["state", "decided_by", "decided_at", "measures", "note"])
        message = f"{done} ({flag.get_detector_display()}){': ' if note else ''}{note}"
        for target in (flag, flag.user):
            LogEntry.objects.log_actions(actor.pk, [target], CHANGE, message, single_object=True)
    return done


def hide(flag: Flag, actor: User, note: str) -> str:
    return "Hidden from the boards." if visibility.set_hidden([flag.user_id], hidden=True) else "Was hidden already."


def ban(flag: Flag, actor: User, note: str) -> str:
    """Cannot sign in, mint or redeem any more, and is on no board."""
    banned = User.objects.filter(pk=flag.user_id).exclude(is_active=False, is_hidden=True)
    if not banned.update(is_active=False, is_hidden=True):
        return "Was banned already."
    SignIn.objects.end(flag.user_id)
    ledger.announce_players([flag.user_id])
    return "Banned, and hidden from the boards."


def dismiss(flag: Flag, actor: User, note: str) -> str:
    return "Dismissed."


def revert(flag: Flag, actor: User, note: str) -> str:
    """Takes back the points of the flagged entries, one compensating entry each, never more than the player has."""
    if not flag.entries.exists():
        raise NotPossible(f"{flag} rests on no entries; there is nothing to take back.")
    # The ledger takes the same lock; held from here on, the total cannot move between the sum and the entries.
    score = UserScore.objects.select_for_update(no_key=True).filter(pk=flag.user_id).first()
    left = score.total if score else 0
    entries = []
    for history_id, points in to_revert(flag):
        taken = min(points, left)
        if taken:
            left -= taken
            entries.append(compensation(flag, history_id, taken, actor, note))
    outcomes = [
        outcome for start in range(0, len(entries), CHUNK) for outcome in ledger.record(entries[start : start + CHUNK])
    ]
    ledger.announce((outcome.standing for outcome in outcomes), notify=True)
    points = -sum(outcome.delta or 0 for outcome in outcomes)
    return f"{points} points of {len(outcomes)} entries taken back." if outcomes else "There was nothing to take back."


def to_revert(flag: Flag) -> list[tuple[int, int]]:
    """(history id, points) of the flag's entries that no flag has taken back yet, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(TO_REVERT, [flag.pk])
        found = cursor.fetchall()
    made = ScoreHistory.objects.filter(
        user_id=flag.user_id, action_id__in=[compensation_id(history_id) for history_id, _ in found]
    )
    taken = set(made.values_list("action_id", flat=True))
    return [(history_id, points) for history_id, points in found if compensation_id(history_id) not in taken]


def revertible(flag: Flag) -> int:
    """The points a revert would take back, before the player's total bounds it."""
    return sum(points for _, points in to_revert(flag))


def compensation(flag: Flag, history_id: int, points: int, actor: User, note: str) -> Entry:
    return Entry(
        user_id=flag.user_id,
        action_id=compensation_id(history_id),
        source=ScoreHistory.Source.CORRECTION,
        delta=-points,
        actor_id=actor.pk,
        reverses=history_id,
        reason=f"Reverts entry {history_id}: {note or flag.get_detector_display()}",
    )


def compensation_id(history_id: int) -> uuid.UUID:
    return uuid.uuid5(REVERTS, str(history_id))


MEASURES: Mapping[str, Callable[[Flag, User, str], str]] = {
    "hide": hide,
    "revert": revert,
    "ban": ban,
    "dismiss": dismiss,
}
