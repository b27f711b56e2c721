"""The JavaScript kit on a page of another origin: a player's calls work there, a server's refuse."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from accounts.models import User
from tests.support.people import access_token
from tests.support.processes import ROOT
from tests.system.browser.conftest import Visitors
from tests.system.browser.site import Site

PLAY = """async ([url, token]) => {
    const { Client, Refused } = await import('/index.js');
    const refused = (call) => Promise.resolve().then(call).then(() => 'done', (error) => error.message);
    const client = new Client(url, { token: async () => token });
    const boards = client.watch({ limit: 1 });
    const before = (await boards.next()).value;
    const acted = await client.act('WIN_MATCH');
    const after = (await boards.next()).value;
    const { score } = await client.score();
    const unknown = await client.act('NOTHING').catch((error) => error instanceof Refused && error.requestId.length);
    await client.close();
    return {
        scores: [before.top.length, acted.score_delta, after.top[0].score, score, (await boards.next()).done],
        unknown,
        refused: [
            await refused(() => new Client(url, { key: 'sb_secret' })),
            await refused(() => client.award({ id: '1', player: '42', action_type: 'WIN_MATCH' })),
            await refused(() => client.awardLater({ id: '1', player: '42', action_type: 'WIN_MATCH' })),
            await refused(() => client.player('42')),
            await refused(() => client.viewerToken('42')),
        ],
    };
}"""


class Game(ThreadingHTTPServer):
    """The site's own server of pages, here with nothing but the kit."""

    def __init__(self) -> None:
        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                """Nothing to say."""

        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(ROOT / "sdk" / "javascript")))
        self.url = f"http://localhost:{self.server_address[1]}/"


@pytest.fixture
def game() -> Iterator[Game]:
    with Game() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_page_plays_and_watches_and_no_key_is_used_there(
    visitors: Visitors, site: Site, game: Game, alice: User
) -> None:
    page = visitors.page()
    page.goto(game.url)
    told = page.evaluate(PLAY, [site.url, access_token(alice)])
    assert told["scores"] == [0, 50, 50, 50, True]
    assert told["unknown"] >= 8
    assert all("is for your server" in said for said in told["refused"]), told["refused"]
