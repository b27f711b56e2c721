"""Token keys rotate while the site runs, process by process, and no honest token is refused at any moment.

The order that makes it so is the one docs/operations.md gives: accept the new key everywhere, then sign with it, then
drop the old one.
"""

import base64
import http.client
import json
import random
import re
import secrets
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import jwt
import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from actions import tokens
from scoreboard.models import ScoreHistory
from tests.support.client import MINT, UPDATE, Api, assert_problem
from tests.support.people import back_end, bearer, players, update_body
from tests.support.processes import PATIENCE, ROOT, environment, eventually
from tests.system.deploy.nginx import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

OLD = "old:HS256:" + base64.b64encode(secrets.token_bytes(32)).decode()
NEW = "new:EdDSA:" + base64.b64encode(secrets.token_bytes(32)).decode()
STEPS = ([OLD], [OLD, NEW], [NEW, OLD], [NEW])


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_what_was_minted_at_one_step_is_redeemed_at_the_next_and_the_other_way_round(
    api: Api, alice: User, settings: Settings
) -> None:
    """While processes are replaced, neighbours of both steps are running, and a client meets either."""
    for before, after in pairwise(STEPS):
        for mints_at, redeems_at in ((before, after), (after, before)):
            settings.ACTION_TOKEN_KEYS = mints_at
            minted = tokens.mint(alice.pk, "WIN_MATCH")
            assert kid(minted.action_token) == mints_at[0].partition(":")[0]
            settings.ACTION_TOKEN_KEYS = redeems_at
            assert api.post(UPDATE, update_body(minted), alice).status_code == 200


def test_the_key_made_from_the_secret_is_an_item_by_the_command_of_the_documents(
    api: Api, alice: User, settings: Settings
) -> None:
    settings.ACTION_TOKEN_KEYS = []
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    [command] = re.findall(r"^python (manage.py shell .*)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    env = environment(ACTION_TOKEN_KEYS="")
    told = subprocess.run([sys.executable, *shlex.split(command)], cwd=ROOT, env=env, capture_output=True, text=True)
    settings.ACTION_TOKEN_KEYS = [told.stdout.strip(), NEW]
    assert api.post(UPDATE, update_body(minted), alice).status_code == 200
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    settings.ACTION_TOKEN_KEYS = []
    assert api.post(UPDATE, update_body(minted), alice).status_code == 200, "a process not yet replaced"


def test_a_token_of_the_old_key_is_refused_once_the_key_is_gone(api: Api, alice: User, settings: Settings) -> None:
    settings.ACTION_TOKEN_KEYS = [OLD]
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    settings.ACTION_TOKEN_KEYS = [NEW]
    assert_problem(api.post(UPDATE, update_body(minted), alice), "token-invalid")


def test_control_without_a_step_for_accepting_it_a_new_key_is_refused_by_processes_not_yet_replaced(
    api: Api, alice: User, settings: Settings
) -> None:
    settings.ACTION_TOKEN_KEYS = [NEW, OLD]
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    settings.ACTION_TOKEN_KEYS = [OLD]
    assert_problem(api.post(UPDATE, update_body(minted), alice), "token-invalid")


class Site:
    """The `web` processes that take requests; one that is replaced ends when it has no connection any more."""

    def __init__(self, *servers: Web) -> None:
        self.servers = list(servers)
        self.talking: Counter[Web] = Counter()
        self.changed = threading.Condition()

    @contextmanager
    def any_of_them(self) -> Iterator[Web]:
        with self.changed:
            server = random.choice(self.servers)
            self.talking[server] += 1
        try:
            yield server
        finally:
            with self.changed:
                self.talking[server] -= 1
                self.changed.notify_all()

    def replace(self, old: Web, new: Web) -> None:
        with self.changed:
            self.servers[self.servers.index(old)] = new
            assert self.changed.wait_for(lambda: self.talking[old] == 0, PATIENCE)
        assert old.end() == 0


class Honest(threading.Thread):
    """A player who mints at one process, redeems at another, and always holds one token back for the next round."""

    def __init__(self, site: Site, user: User) -> None:
        super().__init__(daemon=True)
        self.site, self.user, self.headers = site, user, {**bearer(user), "Content-Type": "application/json"}
        self.back_end = {**self.headers, **back_end()}
        self.leaving = False
        self.rounds = self.paid = 0
        self.kids: set[str] = set()
        self.wrong: list[Any] = []

    def run(self) -> None:
        try:
            held = self.mint()
            while not self.leaving:
                held, earlier = self.mint(), held
                self.redeem(earlier)
                self.redeem(self.mint())
                self.rounds += 1
            self.redeem(held)
        except Exception as error:
            self.wrong.append(error)

    def mint(self) -> dict[str, Any]:
        data: dict[str, Any] = self.call(
            MINT, {"action_type": "WIN_MATCH", "user_id": str(self.user.pk)}, 201, self.back_end
        )
        self.kids.add(kid(data["action_token"]))
        names = ("action_id", "action_type", "action_token")
        return {**{name: data[name] for name in names}, "timestamp": time.time()}

    def redeem(self, body: dict[str, Any]) -> None:
        self.paid += self.call(UPDATE, body, 200)["score_delta"]

    def call(self, path: str, body: dict[str, Any], expected: int, headers: dict[str, str] | None = None) -> Any:
        with self.site.any_of_them() as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
            connection.request("POST", path, json.dumps(body), headers or self.headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            connection.close()
        assert answer.status == expected, said
        return said["data"]


def two_rounds_later(everyone: list[Honest]) -> None:
    """Waits until each has gone on for two rounds, or one of them was refused."""
    ends = [one.rounds + 2 for one in everyone]

    def all_there() -> bool:
        rounds = [one.rounds for one in everyone]
        return any(one.wrong for one in everyone) or all(now >= end for now, end in zip(rounds, ends, strict=True))

    eventually(all_there, "everyone has gone on for two rounds")


@pytest.mark.long
def test_under_load_processes_are_replaced_one_by_one_and_not_one_honest_token_is_refused(tmp_path: Path) -> None:
    started: list[Web] = []

    def start(keys: list[str]) -> Web:
        limits = dict.fromkeys(("LIMIT_IP", "LIMIT_USER", "LIMIT_ACTIONS"), "off")
        started.append(Web(tmp_path / f"web-{len(started)}.log", ACTION_TOKEN_KEYS=",".join(keys), **limits))
        return started[-1]

    try:
        site = Site(start(STEPS[0]), start(STEPS[0]))
        people = players(4)
        everyone = [Honest(site, user) for user in people]
        for one in everyone:
            one.start()
        for keys in STEPS[1:]:
            for old in list(site.servers):
                site.replace(old, start(keys))
            # What was minted before this step is redeemed before the next: as long as the longest token lives.
            two_rounds_later(everyone)
        for one in everyone:
            one.leaving = True
        for one in everyone:
            one.join(PATIENCE)
    finally:
        for server in started:
            server.close()
    assert [one.wrong for one in everyone] == [[]] * 4
    assert set.union(*(one.kids for one in everyone)) == {"old", "new"}
    for one, user in zip(everyone, people, strict=True):
        assert sum(ScoreHistory.objects.filter(user=user).values_list("delta", flat=True)) == one.paid > 0
