"""A player about whom the site holds all it can hold, and all that is stored, to look for traces of them."""

import json
import uuid
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts import api_keys, attempts, second_factor, sign_in
from accounts.models import AuditLog, SignUpAddress, User
from actions import queue, tokens
from api import redis_client
from integrity.models import Flag, FlaggedEntry
from scoreboard import bonus, entrants
from scoreboard.models import Board, BoardPeriod, FinalStanding, PlayerNotice, ScoreHistory
from tests.support.admin_site import superuser
from tests.support.boards import keep, make
from tests.support.database import tables
from tests.support.people import give, player

NAME, EMAIL, AVATAR = "Zoë Quill", "zoe.quill@example.org", "https://pictures.example/zoe-quill.png"
MARKS = ("Quill", "quill", "Zoë")  # in whatever names the person


def life(name: str = NAME) -> User:
    """A player about whom there is something in every place where there can be."""
    mod = superuser("moderator")
    zoe = player(name, email=EMAIL, avatar_url=AVATAR, region="EU", attributes={"motto": f"{NAME} was here"})
    give(zoe, 40)
    entrants.join(Board.objects.create(slug="league", title="League", entry=Board.Entry.JOIN), zoe)
    bonus.give(mod.pk, "key-1", zoe.pk, 7, f"For {NAME}, who found the bug")
    give(player("Neighbour"), 20)
    now = datetime.now(UTC)
    SignUpAddress.objects.create(user=zoe, digest="d" * 64, created_at=now)
    attempts.remember(zoe.pk, "198.51.100.7")
    sign_in.start(zoe)
    client = Client()
    client.force_login(zoe)
    second_factor.enroll(zoe)
    api_keys.issue("game server", ["mint"], created_by=zoe)
    tokens.mint(zoe.pk, "WIN_MATCH")
    queue.accept(zoe.pk, [])
    [period] = BoardPeriod.objects.filter(board=make("cup"))
    BoardPeriod.objects.filter(pk=period.pk).update(closed_at=now)
    keep()
    FinalStanding.objects.create(
        period=period, place=1, rank=1, user=zoe, points=40, reached_at=now, metadata={"team": f"{NAME} and friends"}
    )
    PlayerNotice.objects.create(user=zoe, period=period, rank=1, text=f"{NAME} has won", created_at=now)
    LogEntry.objects.log_actions(mod.pk, [zoe], CHANGE, f"Talked to {NAME}", single_object=True)
    for who, about in ((zoe, mod), (mod, zoe)):
        AuditLog.objects.create(
            pk=uuid.uuid4(), kind="forbidden", user=who, subject=about, first_at=now, last_at=now, count=1
        )
    flag = open_flag(zoe, now)
    LogEntry.objects.log_actions(mod.pk, [flag], CHANGE, f"{NAME} was too fast", single_object=True)
    return zoe


def open_flag(user: User, now: datetime) -> Flag:
    finding = {
        "severity": "high",
        "numbers": {},
        "window": [now.isoformat()] * 2,
        "accounts": [str(user.pk), str(uuid.uuid4())],
    }
    flag = Flag.objects.create(
        user=user,
        detector="address",
        severity="high",
        evidence={"strongest": finding, "latest": finding, "times": 1},
        opened_at=now,
        updated_at=now,
        evidence_until=now,
        note=f"{NAME} again",
    )
    FlaggedEntry.objects.create(flag=flag, history=ScoreHistory.objects.filter(user=user)[0])
    return flag


def exported(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("export_user", *arguments, stdout=out)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def erase(user: User) -> str:
    out = StringIO()
    call_command("erase_user", "--id", str(user.pk), "--yes", stdout=out)
    return out.getvalue()


def everything_stored() -> str:
    """Every row of every table, and every value in Redis, as text: sorted, for an UPDATE may move a row."""
    found = []
    with connection.cursor() as cursor:
        for table in tables():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += sorted(f"{table}: {row}" for (row,) in cursor.fetchall())
    return "\n".join(found + redis_values())


def redis_values() -> list[str]:
    redis: Any = redis_client.connection()
    read = {
        b"hash": redis.hgetall,
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"string": redis.get,
        b"set": redis.smembers,
        b"list": lambda key: redis.lrange(key, 0, -1),
    }
    keys = list(redis.scan_iter(f"{settings.REDIS_KEY_PREFIX}*"))
    kinds = [(key, redis.type(key)) for key in keys]
    # A key may have expired, or been renamed by a rebuild beside this test, since it was listed.
    return sorted(f"{key!r}: {value(read[kind](key))}" for key, kind in kinds if kind != b"none")


def value(stored: Any) -> str:
    parts = (
        [*stored.items()]
        if isinstance(stored, dict)
        else sorted(stored)
        if isinstance(stored, set)
        else stored
        if isinstance(stored, list)
        else [stored or b""]  # it expired before it was read
    )
    flat = [part for item in parts for part in (item if isinstance(item, tuple) else (item,))]
    return " ".join(part.decode("utf-8", "replace") for part in flat)
