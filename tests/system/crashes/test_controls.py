"""Each guard taken away from a real site, and the judge says so. The guards are PostgreSQL's and the sweep."""

import re
import time
from typing import Any

import pytest

from tests.support.processes import eventually
from tests.system.crashes import evidence
from tests.system.crashes.load import load
from tests.system.crashes.proof import broken, heal, keep_promises
from tests.system.crashes.site import Site

LIE = 1  # point: what the demo's actions are worth never adds up to it


def spend_tokens_for_ever(site: Site) -> None:
    """Neither the token's row nor the history remembers, and nothing is unique."""
    with site.database() as session:
        session.execute("ALTER TABLE score_history DROP CONSTRAINT score_history_action_once")
        for name in ("action_redeem", "ledger_record"):
            [source] = session.execute("SELECT pg_get_functiondef(%s::regproc)", [name]).fetchone() or [""]
            spoiled, joins = re.subn(r"h\.action_id = (e\.\w+|p_action\[e\.ord\])", r"\g<0> AND false", str(source))
            spoiled = spoiled.replace("SET redeemed_at = l.created_at", "SET redeemed_at = NULL")
            assert joins
            session.execute(spoiled.encode())


def test_without_what_spends_a_token_the_judge_finds_double_pay(spoiled_site: Site) -> None:
    spend_tokens_for_ever(spoiled_site)
    with load(spoiled_site) as running:
        eventually(running.history.counted_twice, "a token is spent again")
        running.stop()
        found = broken(running)
    assert any("is in the ledger 2 times" in one for one in found)
    assert any("was answered 200 more than once" in one for one in found)


def forget_deeds(site: Site) -> None:
    """Each telling of a deed is the first."""
    with site.database() as session:
        session.execute("ALTER TABLE awards DROP CONSTRAINT awards_once")
        [source] = session.execute("SELECT pg_get_functiondef('award_judge'::regproc)").fetchone() or [""]
        spoiled, joins = re.subn(r"w\.key = k\.key", r"\g<0> AND false", str(source))
        assert joins
        session.execute(spoiled.encode())


@pytest.mark.long
def test_without_what_remembers_deeds_the_judge_finds_awards_paid_twice(spoiled_site: Site) -> None:
    forget_deeds(spoiled_site)
    with load(spoiled_site) as running:
        eventually(lambda: running.history.counted_twice("order-"), "a deed is told of again")
        running.stop()
        found = broken(running)
    assert any("action order-" in one and "is in the ledger 2 times" in one for one in found)


@pytest.mark.long
def test_with_commits_that_do_not_wait_for_the_disk_the_judge_finds_lost_pay(spoiled_site: Site) -> None:
    with spoiled_site.database() as session:
        for name, value in (("synchronous_commit", "off"), ("wal_writer_delay", "10s"), ("fsync", "off")):
            session.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        session.execute("SELECT pg_reload_conf()")
        session.execute("SELECT pg_sleep(0.2)")
    with load(spoiled_site) as running:
        running.goes_on(60)
        spoiled_site.kill_postgres()
        running.stopping.set()
        spoiled_site.start_postgres()
        running.stop()
        found = broken(running)
    assert any("and is not in the ledger" in one for one in found)


@pytest.mark.long
def test_without_the_sweep_the_judge_finds_what_redis_lacks(spoiled_site: Site) -> None:
    with load(spoiled_site) as running:
        spoiled_site.kill("beat")  # before its first sweep
        running.goes_on()
        with spoiled_site.redis_client() as client:
            redis: Any = client
            redis.config_set("appendfsync", "always")  # what it has when it is killed, it has afterwards
            eventually(lambda: redis.hget("lb:{global}:meta", "epoch"), "the board is built")
        spoiled_site.kill_redis()
        running.score_once()
        for name in ("web", "worker"):  # they know what they missed, and would sweep by themselves
            spoiled_site.kill(name)
        spoiled_site.start_redis()
        spoiled_site.start("web", "worker")
        running.goes_on()
        running.stop()
        drift = evidence.disagreements(evidence.truth(spoiled_site), evidence.dump(spoiled_site))
        assert "versions differ" in drift, spoiled_site.logs()
        assert any(running.witness.name in one for one in drift)

        spoiled_site.start("beat")
        heal(spoiled_site)
        keep_promises(spoiled_site)
        running.hear_promises()
        assert broken(running) == []


@pytest.mark.long
def test_with_a_board_that_claims_to_know_better_the_judge_finds_a_read_that_went_back(spoiled_site: Site) -> None:
    """A reader is told what the board has if that is as new as the ledger: here it only says so."""
    with load(spoiled_site) as running:
        player, history = running.players[0].user_id, running.history
        with spoiled_site.redis_client() as client:
            redis: Any = client
            eventually(lambda: redis.hget("lb:{global}:player", player), "the player is on the board")
            eventually(lambda: history.highest(player) > LIE, "and has more than it is going to say")
            spoiled_site.kill("beat")  # a sweep could put it right before anybody looks
            member = redis.hget("lb:{global}:player", player).decode().partition(":")[2]
            redis.hset("lb:{global}:player", player, f"999999:{member}")
            redis.zadd("lb:{global}:rank", {member: LIE})
        lied = time.monotonic()
        eventually(lambda: history.shown(player, LIE, since=lied), "the player is told so")
        running.stop()
        found = broken(running)
    assert any(one.startswith(f"{player} was shown {LIE} after") for one in found)
