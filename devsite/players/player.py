"""One player: mints and redeems at a pace of their own until told to stop."""

import random
import time
from dataclasses import dataclass, field
from typing import Any

from devsite.players.client import Answer
from devsite.players.session import Session

HANDINGS = 5  # times one token is handed in before its player gives it up
STREAK = 20.0  # mean seconds a player keeps one pace
SPREAD = 1.0  # of the paces, as the sigma of a log-normal
FASTEST = 4.0  # times the mean pace
LEADERS, LEADERS_PACE = 3, 0.6  # who leads takes it easier, so that others catch up for as long as it runs
OWN_GRANTS = "actions"  # the policy over all types that players grant themselves
OF_ONE_TYPE = ("actions-", "cooldown-")  # policies that leave the other types open
REST = 60.0  # seconds a type is left alone after it has vanished from the catalogue, or is granted by others now


@dataclass
class Player:
    """`rate`: actions per second, in the mean; `repeat`: the share of tokens handed in twice on purpose."""

    session: Session
    rate: float
    repeat: float
    catalogue: list[dict[str, Any]]
    chance: random.Random = field(default_factory=random.Random)
    resting: dict[str, float] = field(default_factory=dict)  # type → monotonic time it may be tried again
    rank: int | None = None

    def play(self) -> None:
        """Acts until told to stop, or until the account is refused."""
        stop = self.session.stop
        due = time.monotonic()
        pace, streak_ends = 0.0, due
        while not stop.is_set():
            if due >= streak_ends:
                pace, streak_ends = self.new_pace(), due + self.chance.expovariate(1 / STREAK)
            acts_at = due + self.chance.expovariate(pace)
            # What would fall into the next streak is drawn anew there: waiting has no memory.
            due = min(acts_at, streak_ends)
            late = time.monotonic() - due
            if stop.wait(max(0.0, -late)):
                return
            due += max(0.0, late - 1)  # a longer backlog is dropped, not made up for with a burst
            if acts_at < streak_ends and not self.act():
                return

    def new_pace(self) -> float:
        """Actions per second for the next streak, `rate` in the mean but for the leaders: they should change."""
        ease = LEADERS_PACE if self.rank is not None and self.rank <= LEADERS else 1.0
        return self.rate * ease * min(FASTEST, self.chance.lognormvariate(-(SPREAD**2) / 2, SPREAD))

    def act(self) -> bool:
        """One action: mint, take the time it takes, redeem. False when this player can play no more."""
        if not self.session.fresh():
            return False
        action = self.choose()
        if action is None:
            return True
        slug = action["action_type"]
        answer = self.session.mint(slug, action["granted_by"])
        if answer is None:
            return True
        if answer.status == 201:
            takes = action["min_seconds"] + 0.1 if action["granted_by"] == "player" and action["min_seconds"] else 0.0
            if not self.session.stop.wait(takes):  # told to stop, it would be too early
                self.redeem(answer.data)
            return True
        self.session.refused("mint", answer)
        if answer.status in (403, 404):
            self.resting[slug] = time.monotonic() + REST
        elif answer.policy.startswith(OF_ONE_TYPE):
            self.resting[slug] = time.monotonic() + answer.retry_after
        elif answer.policy == OWN_GRANTS:
            own = [one["action_type"] for one in self.catalogue if one["granted_by"] == "player"]
            self.resting |= dict.fromkeys(own, time.monotonic() + answer.retry_after)
        else:
            self.session.stop.wait(answer.retry_after)
        return answer.status != 401

    def choose(self) -> dict[str, Any] | None:
        """An action type that is not resting, the better paid the rarer; None when all are."""
        now = time.monotonic()
        awake = [action for action in self.catalogue if self.resting.get(action["action_type"], 0.0) <= now]
        if not awake:
            return None
        return self.chance.choices(awake, [1 / action["points"] for action in awake])[0]

    def redeem(self, minted: dict[str, Any]) -> None:
        """Hands the token in. After a lost answer or a 503 it may have counted or not; a repeat tells which."""
        in_doubt = False
        for _ in range(HANDINGS):
            answer = self.hand_in(minted)
            if answer is not None and answer.status not in (429, 503):
                self.settle(minted, answer, in_doubt)
                return
            if answer is not None:
                self.session.refused("redeem", answer)
            in_doubt |= answer is None or answer.status == 503
            if self.session.stop.wait(answer.retry_after if answer else 1):
                return

    def settle(self, minted: dict[str, Any], answer: Answer, in_doubt: bool) -> None:
        """Counts what became of one token."""
        tally = self.session.tally
        if answer.status == 200:
            tally.add(accepted=1, points=answer.data["score_delta"])
            self.rank = answer.data["rank"]
            if self.chance.random() < self.repeat:
                self.hand_in_again(minted, answer.data)
        elif in_doubt and answer.reason == "already-redeemed":
            tally.add(accepted=1, settled=1, points=answer.body["original"]["score_delta"])
        else:
            self.session.refused("redeem", answer)

    def hand_in_again(self, minted: dict[str, Any], first: dict[str, Any]) -> None:
        """A deliberate repeat: 409 with what the first answer said, or something is wrong with the server."""
        answer = self.hand_in(minted)
        if answer is None or answer.status >= 500:
            return
        if answer.status == 429:
            self.session.refused("redeem", answer)
            return
        original = answer.body.get("original", {})
        kept = answer.status == 409 and all(original.get(name) == first[name] for name in ("new_score", "score_delta"))
        self.session.tally.add(repeats_kept=kept, repeats_broken=not kept)

    def hand_in(self, minted: dict[str, Any]) -> Answer | None:
        body = {name: minted[name] for name in ("action_id", "action_type", "action_token")}
        return self.session.act("redeem", "/score/update", {**body, "timestamp": time.time()})
