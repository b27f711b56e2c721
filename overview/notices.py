"""What people are told without looking: flags, drift, dead work, a board that Redis does not take.

`worker` looks once a minute (overview/watch.py): each cause says what of it is newer than its last notice. Of one cause
there is at most one notice within an hour; what comes later is in the next. The notice is a row; mail is sent from the
row, apart from everything, and tried again for an hour; webhooks that take notices are told by the relay. Whatever
fails here fails nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection, transaction
from django.db.models import F, Max
from django.db.models.functions import Now
from django.utils import timezone

from actions.models import QueuedWork
from api.site_path import path_of
from events import notices as filed
from events.models import Endpoint
from integrity.findings import Severity
from integrity.models import Flag
from leaderboard import boards, drift, ranking
from overview.models import Notice

log = structlog.get_logger(__name__)

APART = timedelta(hours=1)  # two notices of one cause
AWAY = timedelta(minutes=1)  # shorter outages heal by themselves, and are in the metrics
TRIES = 5  # to mail a notice; a server that takes it and then fails must not make a flood
NOTICE_DAYS = timedelta(days=90)
LOCK = 0x07ED5  # of pg_try_advisory_xact_lock: one look at a time
SEVERITIES = {label: value for value, label in Severity.choices}
Cause = Notice.Cause


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to tell. `upto`: the time of the newest of it; `path`: where to act."""

    count: int
    sentence: str
    path: str
    upto: datetime


# Each is given how far its cause was looked at before, None at the first time.
Look = Callable[[datetime | None], Found | None]


def flags(since: datetime | None) -> Found | None:
    """Flags opened since then, as severe as NOTIFY_SEVERITY or more. A scan's flags are committed in the order of their
    times: one scan runs at a time."""
    severe = Flag.objects.filter(state=Flag.State.OPEN, severity__gte=SEVERITIES[settings.NOTIFY_SEVERITY])
    new = severe.filter(opened_at__gt=since) if since else severe
    newest = new.aggregate(newest=Max("opened_at"))["newest"]
    if newest is None:
        return None
    number, waiting = new.count(), severe.count()
    sentence = f"{number} new flags of {settings.NOTIFY_SEVERITY} severity or more; {waiting} such flags are open."
    return Found(number, sentence, path_of("admin:integrity_flag_changelist"), newest)


def dead_work(since: datetime | None) -> Found | None:
    dead = QueuedWork.objects.filter(state=QueuedWork.State.DEAD)
    newest = dead.aggregate(newest=Max("finished_at"))["newest"]
    if newest is None or (since and newest <= since):
        return None
    number = dead.count()
    sentence = f"{number} queued redemptions are dead after their last retry. Players wait for their points."
    return Found(number, sentence, path_of("admin:actions_queuedwork_changelist") + "?state__exact=dead", newest)


def drifted(since: datetime | None) -> Found | None:
    found = [(board, drift.last(board)) for board in boards.everyone()]
    new = [(board, last) for board, last in found if last and last.drift and (since is None or last.at > since)]
    if not new:
        return None
    number = sum(last.drift for _, last in new)
    where = ", ".join(board.title for board, _ in new)
    sentence = f"The comparison found {number} players on whom history, totals and board differed ({where})."
    return Found(number, sentence, path_of("admin:scoreboard_userscore_changelist"), max(last.at for _, last in new))


class Projection:
    """Redis, as this process sees it: away for longer than AWAY, or without a board for so long."""

    def __init__(self) -> None:
        self.away_since: datetime | None = None

    def __call__(self, since: datetime | None) -> Found | None:
        now = timezone.now()
        missing = [board.title for board in boards.everyone() if not there(board)]
        if not missing:
            self.away_since = None
            return None
        self.away_since = self.away_since or now
        if now - self.away_since < AWAY:
            return None
        minutes = (now - self.away_since) // timedelta(minutes=1)
        sentence = (
            f"Redis has not taken the board for {minutes} minutes ({', '.join(missing)}). "
            "Scores count; boards come from SQL and pages do not move."
        )
        return Found(len(missing), sentence, path_of("admin:index"), now)


def there(board: boards.Board) -> bool:
    try:
        return ranking.epoch(board) is not None
    except ranking.Unavailable:
        return False


CAUSES: Mapping[Cause, Look] = {
    Cause.FLAGS: flags,
    Cause.DEAD_WORK: dead_work,
    Cause.DRIFT: drifted,
    Cause.PROJECTION: Projection(),
}


def look() -> list[Notice]:
    """Makes the notices that are due, and returns them; none while another process looks. A cause that cannot be looked
    at, such as drift while Redis is away, waits for the next time. Raises OperationalError while PostgreSQL is away."""
    made: list[Notice] = []
    for cause, found_by in CAUSES.items():
        with transaction.atomic():
            if not alone():
                return made
            latest = Notice.objects.filter(cause=cause).order_by("-pk").first()
            try:
                found = found_by(latest.upto if latest else None)
            except ranking.Unavailable:
                continue
            if found and (latest is None or latest.made_at <= timezone.now() - APART):
                made.append(make(cause, found))
    Notice.objects.filter(made_at__lt=Now() - NOTICE_DAYS).delete()
    return made


def alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def make(cause: Cause, found: Found) -> Notice:
    """In the transaction of the look, and so are the deliveries to webhooks that take notices."""
    log.warning("notice", cause=cause.value, count=found.count, sentence=found.sentence)
    told = {"cause": cause.value, "count": found.count, "sentence": found.sentence, "path": found.path}
    filed.file(Endpoint.Type.NOTICE, told)
    return Notice.objects.create(**told, upto=found.upto)


def send() -> int:
    """Mails the notices that were not mailed and are not old yet; returns how many. Raises what a mail server raises,
    OSError: they are tried again in a minute, TRIES times in all."""
    sent = 0
    fresh = Notice.objects.filter(mailed_at=None, tries__lt=TRIES, made_at__gt=Now() - APART)
    for notice in fresh.order_by("pk") if settings.NOTIFY_EMAILS else ():
        # Claimed before it is sent: two workers send it once, and none waits in a transaction for a mail server.
        if not fresh.filter(pk=notice.pk).update(mailed_at=Now(), tries=F("tries") + 1):
            continue
        try:
            with get_connection() as connection:  # which ends also where the server refuses the sign-in
                connection.send_messages([mail(notice)])
        except OSError:
            Notice.objects.filter(pk=notice.pk).update(mailed_at=None)
            raise
        sent += 1
    return sent


def mail(notice: Notice) -> EmailMessage:
    site = str(settings.SITE_URL).rstrip("/")
    name = site.partition("://")[2] or "the scoreboard"
    text = (
        f"{notice.sentence}\n\n"
        f"Where to act: {site}{notice.path}\n"
        f"Noticed at {notice.made_at:%Y-%m-%d %H:%M} UTC. "
        "What comes of it within the next hour is in one further mail.\n"
    )
    return EmailMessage(f"{notice.get_cause_display()} ({name})", text, None, list(settings.NOTIFY_EMAILS))
