"""What a Redis must be, and must let its user do, asked at start."""

import uuid
from typing import Any

from django.conf import settings
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from api import redis_client

OLDEST = 7
# One of each kind that the site, its scripts and Celery use; docs/operations.md has the ACL that allows them all.
PROBES: tuple[tuple[str | int, ...], ...] = (
    ("INFO", "server"),
    ("SCRIPT", "LOAD", "return 1"),
    ("EVAL", "return redis.call('GET', KEYS[1])", 1, "{key}"),
    ("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", 0),  # the script above
    ("SET", "{key}", "1", "EX", 1),
    ("INCRBY", "{key}", 1),
    ("GET", "{key}"),
    ("EXPIRE", "{key}", 1),
    ("PTTL", "{key}"),
    ("EXISTS", "{key}"),
    ("DEL", "{key}"),
    ("HSET", "{key}", "field", 1),
    ("HINCRBY", "{key}", "field", 1),
    ("HMGET", "{key}", "field"),
    ("HSCAN", "{key}", 0),
    ("HDEL", "{key}", "field"),
    ("ZADD", "{key}", 1, "member"),
    ("ZREVRANK", "{key}", "member"),
    ("ZREVRANGE", "{key}", 0, 0),
    ("ZSCAN", "{key}", 0),
    ("ZREM", "{key}", "member"),
    ("LPUSH", "{key}", "item"),
    ("LTRIM", "{key}", 0, 0),
    ("LINDEX", "{key}", 0),
    ("BRPOP", "{key}", 1),
    ("SADD", "{key}", "member"),
    ("SMEMBERS", "{key}"),
    ("UNLINK", "{key}"),
    ("PUBLISH", "{key}", ""),
)


def refusal() -> str | None:
    """The sentence for the operator of a Redis that does not do. None for one that does, and for one that is away: the
    start goes on, `/readyz` says so."""
    try:
        denied, version = ask()
    except AuthenticationError:
        return "Redis refuses the user or the password of REDIS_URL."
    except RedisError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return f"The certificate of Redis is refused: {error} CA_FILE names a private authority."
        return None
    if denied:
        return (
            f"Redis denies the user of REDIS_URL {', '.join(denied)} on keys and channels that begin with "
            f"{settings.REDIS_KEY_PREFIX!r}; docs/operations.md has the rights that are needed."
        )
    if version < OLDEST:
        return f"Redis is {version}; expected {OLDEST} or newer."
    return None


def ask() -> tuple[list[str], int]:
    """(commands that are denied, the major version). Raises RedisError."""
    key = f"{settings.REDIS_KEY_PREFIX}probe:{uuid.uuid4().hex}"
    client: Any = redis_client.connection()
    client.ping()
    with client.pipeline(transaction=False) as pipeline:
        for command in PROBES:
            pipeline.execute_command(*(key if word == "{key}" else word for word in command))
        answers = pipeline.execute(raise_on_error=False)
    denied = [
        str(command[0])
        for command, answer in zip(PROBES, answers, strict=True)
        if isinstance(answer, NoPermissionError)
    ]
    with client.pubsub() as listener:
        try:
            listener.subscribe(key)
            listener.get_message(timeout=settings.REDIS_TIMEOUT)
        except NoPermissionError:
            denied.append("SUBSCRIBE")
    if denied:
        return denied, 0
    return [], int(str(answers[0]["redis_version"]).partition(".")[0])
