"""Players who redeem and a back end that awards all the time, while a test breaks things."""

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from tests.support.processes import eventually
from tests.system.crashes.back_end import BackEnd
from tests.system.crashes.client import Lost
from tests.system.crashes.history import History
from tests.system.crashes.player import Player, Tab
from tests.system.crashes.site import Site

TABS = 2  # of each player
BACK_ENDS = 2  # processes of one site, each with its own deeds
SETTLING_SECONDS = 8.0  # for what is undecided when it stops


class Load:
    def __init__(self, site: Site, players: int) -> None:
        self.site = site
        self.history = History()
        key = site.manage("create_api_key", "load", "--scopes", "mint,award", "--limit", "off").stdout.split()[-1]
        with ThreadPoolExecutor(2) as pool:  # as many passwords as `web` hashes at once
            everybody = pool.map(lambda _: Player(site.web_socket, self.history, key), range(players + 1))
            self.witness, *self.players = everybody
        self.stopping, self.hurry = threading.Event(), threading.Event()
        theirs = secrets.token_hex(3)  # what the back ends call their site
        ends = (self.stopping, self.hurry)
        clients: list[Tab | BackEnd] = [
            *(Tab(player, site.web_socket, *ends) for player in self.players * TABS),
            *(BackEnd(site.web_socket, self.history, key, theirs, *ends) for _ in range(BACK_ENDS)),
        ]
        self.threads = [threading.Thread(target=client.run) for client in clients]
        for thread in self.threads:
            thread.start()

    def goes_on(self, count: int = 20, *, but: str = "") -> None:
        """Returns once this many further redemptions were acknowledged, to players but `but`."""
        before = self.history.acknowledged(but=but)

        def gone_on() -> bool:
            self.site.supervise()
            return self.history.acknowledged(but=but) >= before + count

        eventually(gone_on, "redemptions succeed")

    def hears(self, status: int, count: int = 1) -> None:
        """Returns once this many further requests were answered so (LOST: not answered)."""
        before = self.history.answers(status)

        def heard() -> bool:
            self.site.supervise()
            return self.history.answers(status) >= before + count

        eventually(heard, f"some are answered {status}")

    def score_once(self) -> None:
        """The witness scores and does nothing ever after: what the board lacks of it, no later score brings along."""
        tab = Tab(self.witness, self.site.web_socket, self.stopping, self.hurry)
        before = self.history.acknowledged(of=self.witness.user_id)

        def scored() -> bool:
            with suppress(Lost):
                tab.redeem_one()
            return self.history.acknowledged(of=self.witness.user_id) > before

        eventually(scored, "one more scores")
        tab.client.close()

    def queue_once(self) -> None:
        """The witness is promised a score."""
        tab = Tab(self.witness, self.site.web_socket, self.stopping, self.hurry)

        def promised() -> bool:
            with suppress(Lost):
                tab.redeem_later()
            return any(told.status == 202 for told in self.history.told if told.player == self.witness.user_id)

        eventually(promised, "one more is promised a score")
        tab.client.close()

    def set_clocks(self, ahead: float) -> None:
        for player in (*self.players, self.witness):
            player.clock_ahead = ahead

    def for_seconds(self, seconds: float) -> None:
        """The fault lasts so long."""
        self.stopping.wait(seconds)

    def stop(self) -> None:
        """Begins nothing new, and gets a decision on what was handed in."""
        self.stopping.set()
        hurry = threading.Timer(SETTLING_SECONDS, self.hurry.set)
        hurry.start()
        for thread in self.threads:
            thread.join()
        hurry.cancel()

    def hear_promises(self) -> None:
        """What became of the queued work that was done only after the players had stopped."""
        for player in (*self.players, self.witness):
            tab = Tab(player, self.site.web_socket, self.stopping, self.hurry)
            eventually(lambda tab=tab: tab.hears_all(), "the results are told")  # type: ignore[misc]
            tab.client.close()

    @property
    def player_ids(self) -> list[str]:
        """Ours of those who signed up, the site's of its own."""
        theirs = {deed.player for deed in self.history.minted}
        return [*theirs.union(player.user_id for player in (*self.players, self.witness))]


@contextmanager
def load(site: Site, players: int = 5) -> Iterator[Load]:
    running = Load(site, players)
    try:
        yield running
    finally:
        running.hurry.set()
        running.stop()
