"""The audit log's writer: what was refused, and to whom, written in batches beside the requests.

A refusal costs its request a look into a dictionary. Repeats of one caller and reason within a minute are one line, in
all processes: its id is made of them. A process begins at most LINES lines a minute, and says in one more how many
refusals had no room; so a flood neither fills the disk nor slows a request.
"""

import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.util import Finalize

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import purging
from accounts.addresses import digest
from accounts.metrics import AUDIT_LEFT_OUT
from accounts.models import AuditLog
from api import refusals
from api.client_address import UNKNOWN
from api.refusals import Caller, Refusal

log = structlog.get_logger(__name__)

LINES = 120  # a minute and process: at most 170,000 rows a day, some 50 MB
WAITING = 1000  # lines kept while PostgreSQL is away; beside them one a minute says how many had no room
SECONDS = 1.0  # between two batches
LEFT_OUT = "left-out"
WEBHOOK_DISABLED = "webhook-disabled"
NO_PROBLEMS = (LEFT_OUT, WEBHOOK_DISABLED)  # kinds of lines that no answer had

WRITE = """
INSERT INTO audit_log (id, kind, reason, user_id, api_key_id, address, subject_id, action_type, request_id, detail,
                       first_at, last_at, count)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::text[],
                     %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::bigint[]) AS line (id)
 ORDER BY line.id -- one order for all processes, so that two batches wait for each other and never in a circle
ON CONFLICT (id) DO UPDATE
   SET count = audit_log.count + excluded.count, last_at = greatest(audit_log.last_at, excluded.last_at)
"""

Key = tuple[datetime, str, str, Caller, uuid.UUID | None]  # the minute, kind, reason, who, about whom


@dataclass(slots=True)
class Line:
    """Refusals of one key that are not written yet; `refusal` is the first of them."""

    refusal: Refusal
    first_at: datetime
    last_at: datetime
    count: int = 1


class Writer:
    """The lines of one process, and the thread that writes them. The thread begins with the first refusal."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.lines: dict[Key, Line] = {}
        self.minute = datetime.min.replace(tzinfo=UTC)
        self.begun: set[Key] = set()  # in this minute, written or not
        self.left_out = 0
        self.away = False  # PostgreSQL did not take the last batch
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.arrived = threading.Event()
        self.thread: threading.Thread | None = None

    def record(self, refusal: Refusal) -> None:
        """Called by a request's thread, or by the live side's event loop; never waits for the database."""
        now = timezone.now()
        minute = now.replace(second=0, microsecond=0)
        key = (minute, refusal.kind, refusal.reason, refusal.caller, refusal.subject)
        with self.lock:
            if minute != self.minute:
                self.minute, self.begun = minute, set()
            if (line := self.lines.get(key)) is not None:
                line.last_at = now
                line.count += 1
            elif (key in self.begun or len(self.begun) < LINES) and len(self.lines) < WAITING:
                self.begun.add(key)
                self.lines[key] = Line(refusal, now, now)
            else:
                self.left_out += 1
            if self.thread is None:
                self.start()
        self.arrived.set()

    def start(self) -> None:
        self.thread = threading.Thread(target=self.run, name="audit", daemon=True)
        self.thread.start()
        # As the interpreter ends, in the main process as well as in Granian's workers, which skip `atexit`.
        Finalize(None, self.close, exitpriority=100)

    def close(self) -> None:
        """Writes what is left, and ends the thread."""
        self.ended.set()
        self.arrived.set()
        if self.thread is not None:
            self.thread.join(timeout=5)

    def run(self) -> None:
        while not self.ended.is_set():
            self.arrived.wait()
            self.arrived.clear()
            self.ended.wait(self.seconds)
            self.flush()
            connection.close()  # refusals are rare, and connections are not many
        self.flush()  # what came while the last batch was written
        connection.close()

    def flush(self) -> None:
        """Writes the lines of now in one statement. What PostgreSQL, being away, does not take is kept."""
        with self.lock:
            lines, self.lines = self.lines, {}
            left_out, self.left_out = self.left_out, 0
        if left_out:
            now = timezone.now()
            untold = Refusal(LEFT_OUT, LEFT_OUT, "Refusals that had no room in this minute.", Caller(), None, "", "")
            key = (self.minute, LEFT_OUT, LEFT_OUT, Caller(), None)
            line = lines.setdefault(key, Line(untold, now, now, 0))  # one that was put back is there already
            line.last_at, line.count = now, line.count + left_out
            AUDIT_LEFT_OUT.inc(left_out)
        if not lines:
            return
        try:
            write(lines)
            self.away = False
        except (OperationalError, InterfaceError) as error:
            if not self.away:
                log.warning("audit_log_postponed", lines=len(lines), error=str(error).strip())
            self.away = True
            self.put_back(lines)
        except Exception:
            log.exception("audit_log_failed", lines=len(lines))

    def put_back(self, lines: dict[Key, Line]) -> None:
        """Before what came while they were written, of which the rest has no room."""
        with self.lock:
            for key, newer in self.lines.items():
                if (kept := lines.get(key)) is not None:
                    kept.last_at, kept.count = newer.last_at, kept.count + newer.count
                elif len(lines) < WAITING:
                    lines[key] = newer
                else:
                    self.left_out += newer.count
            self.lines = lines
        self.arrived.set()


def write(lines: dict[Key, Line]) -> None:
    rows = [row(key, line) for key, line in lines.items()]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [list(column) for column in zip(*rows, strict=True)])


def row(key: Key, line: Line) -> tuple[object, ...]:
    refusal, caller = line.refusal, line.refusal.caller
    return (
        # Keyed, as the digest of the address is: without the secret no line tells which address it was made of.
        uuid.UUID(bytes=salted_hmac("accounts.audit", repr(key), algorithm="sha256").digest()[:16]),
        refusal.kind,
        refusal.reason,
        caller.user_id,
        caller.api_key,
        digest(caller.address) if caller.address != UNKNOWN else "",
        refusal.subject,
        refusal.action_type,
        refusal.request_id,
        refusal.detail[: AuditLog.DETAIL],
        line.first_at,
        line.last_at,
        line.count,
    )


_writer: Writer | None = None


def start() -> None:
    """Has this process keep the audit log from now on. Called once by each server process."""
    global _writer
    _writer = Writer()
    refusals.set_recorder(_writer.record)


def stop() -> None:
    """Writes what is left: for a process whose interpreter does not come to its own end."""
    if _writer is not None:
        _writer.close()


def purge(chunk: int = 5000) -> int:
    """Deletes lines older than AUDIT_DAYS, in short transactions; returns how many."""
    before = timezone.now() - timedelta(days=settings.AUDIT_DAYS)
    return purging.purge(AuditLog.objects.filter(last_at__lt=before), chunk)
