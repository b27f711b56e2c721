"""What `manage.py doctor` asks PostgreSQL and Redis: whether they do, may be written, lose nothing, and tell the time.

Whether they suit the site at all is asked at every start, too: `api.postgresql.suitable` and `api.redis_server`.
"""

import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError, ResponseError

from api import redis_client, redis_memory, redis_server
from api.checks import POSTGRESQL, REDIS, installation
from config import health

CLOCK_SECONDS = 5.0  # worker and beat must agree within 10
CONNECTIONS_SHARE = 0.8
DURABLE = {"fsync": "on", "full_page_writes": "on"}


def away() -> list[CheckMessage]:
    """The servers that do not answer: what the other checks would ask them is not asked."""
    found: list[CheckMessage] = []
    if health.postgresql() == "unavailable":
        hint = "Look at its log, at DATABASE_URL, and at what is between here and there."
        found.append(Error(f"PostgreSQL does not answer: {reason(connection.ensure_connection)}", hint=hint, id=AWAY))
    if redis_is_away():
        hint = "Look at its log, at REDIS_URL, and at what is between here and there."
        said = reason(lambda: redis_client.connection().ping())
        found.append(
            Error(f"Redis does not answer within {settings.REDIS_TIMEOUT} s: {said}", hint=hint, id=AWAY_REDIS)
        )
    return found


def redis_is_away() -> bool:
    try:
        return health.redis() == "unavailable" and not redis_server.refusal()
    except ValueError:  # REDIS_URL is no address, as the check of the settings says
        return True


AWAY, AWAY_REDIS = "doctor.E001", "doctor.E002"


def first_line(error: Exception) -> str:
    """In the driver's words; what follows is advice for a person at a terminal."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def reason(ask: Any) -> str:
    try:
        ask()
    except (DatabaseError, RedisError, OSError, ValueError) as error:
        return first_line(error)
    return "it has come back meanwhile."


@installation.register(POSTGRESQL)
def writable(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    if health.postgresql() == "ok":
        return []
    hint = "DATABASE_URL should lead to the primary: target_session_attrs=read-write among its hosts."
    return [Error("PostgreSQL takes no writes: it is a standby, or set to read-only.", hint=hint, id="doctor.E003")]


@installation.register(POSTGRESQL)
def durable(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A score that was acknowledged must be there after a power cut."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [[*DURABLE, "synchronous_commit"]])
        told = dict(cursor.fetchall())
    wrong = [f"{name} is {told[name]}" for name, wanted in DURABLE.items() if told[name] != wanted]
    if told["synchronous_commit"] == "off":
        wrong.append("synchronous_commit is off")
    said = f"PostgreSQL may lose scores that it has acknowledged: {', '.join(wrong)}."
    hint = "Switch it on, for the server and for this database and role."
    return [Error(said, hint=hint, id="doctor.E004")] if wrong else []


@installation.register(POSTGRESQL)
def migrations(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Older or newer than the code."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    unknown = set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations)
    ours = {label for label, _ in executor.loader.disk_migrations}
    found: list[CheckMessage] = []
    if plan:
        named = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:3])
        said = f"{len(plan)} migrations are pending: {named}{' …' if len(plan) > 3 else ''}."
        found.append(Error(said, hint="manage.py migrate", id="doctor.E005"))
    if newer := sorted(f"{label}.{name}" for label, name in unknown if label in ours):
        said = f"The database is of a newer version: it has {', '.join(newer)}."
        found.append(Error(said, hint="Start the version that made it, or restore an older backup.", id="doctor.E006"))
    return found


@installation.register(POSTGRESQL)
def rights(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """The role of DATABASE_URL need not be the one that migrated."""
    tables = connection.introspection.django_table_names(only_existing=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name, unnest('{SELECT,INSERT}'::text[]) AS asked "
            "WHERE NOT has_table_privilege(quote_ident(name), asked) GROUP BY name ORDER BY name",
            [sorted(tables)],
        )
        denied = [table for (table,) in cursor.fetchall()]
        cursor.execute("SELECT current_user")
        [role] = cursor.fetchone() or [""]
    if not denied:
        return []
    said = f"The role {role} may not read or write {', '.join(denied[:3])}{' …' if len(denied) > 3 else ''}."
    return [Error(said, hint="Migrate with the role of DATABASE_URL, or grant it the rights.", id="doctor.E007")]


@installation.register(POSTGRESQL)
def connections_left(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity "
            "WHERE backend_type = 'client backend'"
        )
        used, allowed = cursor.fetchone() or (0, 1)
    if used < CONNECTIONS_SHARE * allowed:
        return []
    hint = "Raise max_connections: each thread of `web`, `live` and `worker` keeps one."
    return [Warning(f"{used} of PostgreSQL's {allowed} connections are in use.", hint=hint, id="doctor.W008")]


@installation.register(REDIS)
def redis(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Its version and rights as a start asks them, what it evicts, and whether it can save and be written."""
    if said := redis_server.refusal():
        return [Error(said, hint="docs/operations.md, PostgreSQL and Redis of a provider.", id="doctor.E010")]
    found: list[CheckMessage] = []
    if said := redis_memory.advice():
        found.append(Warning(said, hint="docs/operations.md, Redis: eviction.", id="doctor.W011"))
    about: Any = redis_client.connection().info()
    if about.get("role") == "slave":
        hint = "REDIS_URL should lead to the primary."
        return [*found, Error("Redis takes no writes: it is a replica.", hint=hint, id="doctor.E012")]
    if about.get("rdb_last_bgsave_status", "ok") != "ok" or about.get("aof_last_write_status", "ok") != "ok":
        said = "Redis could not save its data to disk; by default it then takes no writes."
        return [*found, Error(said, hint="Look at its log, and at the room and rights of its `dir`.", id="doctor.E013")]
    try:
        redis_client.connection().set(f"{settings.REDIS_KEY_PREFIX}probe:doctor", 1, ex=1)
    except ResponseError as error:  # in its own words: its memory is full, it has too few replicas
        hint = "More `maxmemory` (docs/operations.md, Redis: eviction), or what it says."
        found.append(Error(f"Redis takes no writes: {first_line(error)}", hint=hint, id="doctor.E016"))
    return found


@installation.register(POSTGRESQL)
def clock_of_postgresql(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    began = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        [told] = cursor.fetchone() or [began]
    return drift("PostgreSQL", told, began, time.time(), "doctor.E014")


@installation.register(REDIS)
def clock_of_redis(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    began = time.time()
    seconds, microseconds = redis_client.connection().time()  # type: ignore[misc]  # not the asynchronous client's
    return drift("Redis", seconds + microseconds / 1e6, began, time.time(), "doctor.E015")


def drift(server: str, told: float, began: float, ended: float, name: str) -> list[CheckMessage]:
    """The answer was made at some moment between the two."""
    ahead = told - ended if told > ended else min(told - began, 0.0)
    if abs(ahead) <= CLOCK_SECONDS:
        return []
    side = "ahead of" if ahead > 0 else "behind"
    said = (
        f"The clock of {server} is {abs(ahead):.0f} s {side} this machine's; tokens expire by one, scores by another."
    )
    return [Error(said, hint="Set both by NTP: `chronyc tracking`, `timedatectl`.", id=name)]
