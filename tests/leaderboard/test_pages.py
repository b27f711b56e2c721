"""The pages that show a board: what is in them before any script has run, who may frame them, and the template tag."""

import os
import subprocess
import sys

import pytest
from django.template import TemplateSyntaxError
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from leaderboard.boards import Board
from tests.boards.pages import rendered
from tests.support.people import give, player
from tests.support.processes import ROOT
from tests.system.live.server import NOWHERE

UNREACHABLE = "redis://127.0.0.1:9/0"  # the discard port: nothing listens
NOTHING_THERE = """
import django; django.setup()
from django.test import Client
client = Client(SERVER_NAME="localhost")
client.cookies["sessionid"] = "whose this is nobody can say"
for path in ("/", "/embed/global", "/embed"):
    answer = client.get(path)
    print(path, answer.status_code, "cannot be read right now" in answer.content.decode())
"""


def shown(client: Client, path: str = "/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def directives(policy: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_the_first_rows_are_in_the_page(client: Client, board: Board, alice: User, bob: User) -> None:
    give(alice, 10)
    give(bob, 20)
    page = shown(client)
    assert page.index(">bob<") < page.index(">alice<")
    assert '<live-leaderboard board="global" limit="10" theme="auto" label="All players">' in page


def test_a_name_that_is_markup_is_escaped(client: Client, board: Board) -> None:
    give(player("<img src=x onerror=alert(1)>"), 10)
    page = shown(client)
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_an_empty_board_says_so(client: Client, board: Board) -> None:
    assert "Nobody has scored yet" in shown(client)


def test_a_private_board_is_not_shown_to_visitors(
    client: Client, board: Board, alice: User, settings: Settings
) -> None:
    give(alice, 10)
    settings.LEADERBOARD_PUBLIC = False
    for path in ("/", "/embed/global"):
        page = shown(client, path)
        assert ">alice<" not in page
        assert "Sign in to see this board" in page
    client.force_login(alice)
    assert page_has_row(shown(client), "alice")


def page_has_row(page: str, username: str) -> bool:
    return f'<bdi title="{username}">{username}</bdi>' in page


def test_the_pages_are_there_when_nothing_else_is() -> None:
    """Neither PostgreSQL nor Redis: the page says so, and its script goes on trying."""
    environment = {**os.environ, "DATABASE_URL": NOWHERE, "REDIS_URL": UNREACHABLE, "LOG_LEVEL": "CRITICAL"}
    done = subprocess.run(
        [sys.executable, "-c", NOTHING_THERE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["/ 200 True", "/embed/global 200 True", "/embed 200 False"], done.stderr


def test_only_the_embed_page_may_be_framed(client: Client, board: Board, settings: Settings) -> None:
    settings.LEADERBOARD_FRAME_ANCESTORS = ["https://fans.example", "https://club.example"]
    embedded = client.get("/embed/global")
    policy = directives(embedded["Content-Security-Policy"])
    assert policy["frame-ancestors"] == "https://fans.example https://club.example"
    assert policy["default-src"] == "'self'"
    assert "X-Frame-Options" not in embedded
    for path in ("/", "/embed", "/accounts/sign-in"):
        page = client.get(path)
        assert page["X-Frame-Options"] == "DENY"
        assert directives(page["Content-Security-Policy"])["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("path", ["/", "/embed", "/embed/global", "/accounts/sign-in", "/accounts/sign-up", "/nowhere"])
def test_no_page_needs_inline_script_or_style(client: Client, board: Board, path: str) -> None:
    page = client.get(path).content.decode()
    assert "<style" not in page
    assert " style=" not in page.replace("style=&quot;", "").replace('style="border: 0"&gt;', "")
    assert page.count("<script") == page.count('<script type="module" src=')
    assert " on" + "click=" not in page


@pytest.mark.parametrize(
    ("query", "limit", "theme"),
    [
        ("", 10, "auto"),
        ("?limit=25&theme=dark", 25, "dark"),
        ("?limit=0", 1, "auto"),
        ("?limit=101", 100, "auto"),
        ("?limit=9999999999999999999999", 10, "auto"),
        ("?limit=-5", 10, "auto"),
        ("?limit=%D9%A3", 10, "auto"),  # a digit, but not ours
        ("?limit=ten&theme=%22%3E%3Cscript%3E", 10, "auto"),
    ],
)
def test_the_embed_page_takes_what_it_can_use(client: Client, board: Board, query: str, limit: int, theme: str) -> None:
    page = shown(client, f"/embed/global{query}")
    assert f'<live-leaderboard board="global" limit="{limit}" theme="{theme}"' in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        ("https://fans.example", True),
        ("http://localhost:3000", True),
        ("https://club.example", False),
        ("https://fans.example/", False),
        ("https://FANS.example", False),
        ("https://a.wild.example", False),
        ("https://*.wild.example", False),
        ("*", False),
        ("https:", False),
        ("'self'", False),
        ("null", False),
        ("", False),
    ],
)
def test_only_a_page_of_an_origin_that_is_named_is_asked_for_a_token(
    client: Client, board: Board, settings: Settings, origin: str, named: bool
) -> None:
    settings.LEADERBOARD_FRAME_ANCESTORS = [
        *("*", "https:", "'self'", "null", ""),
        *("https://fans.example", "http://localhost:3000", "https://*.wild.example"),
    ]
    page = client.get("/embed/global", {"origin": origin}).content.decode()
    assert (f'data-asked="{origin}"' in page) == named
    assert ("data-asked" in page) == ("leaderboard/frame.js" in page) == named


def test_a_board_that_is_not_there_is_not_found(client: Client, board: Board) -> None:
    answer = client.get("/embed/nowhere")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_the_snippets_name_this_site(client: Client, db: None, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["play.example"]
    page = client.get("/embed", SERVER_NAME="play.example", secure=True).content.decode()
    assert "src=&quot;https://play.example/static/leaderboard/live-leaderboard.js&quot;" in page.replace('"', "&quot;")
    assert "wss://play.example" in page
    assert "http://play.example" not in page


def test_the_template_tag_brings_element_script_and_rows(board: Board, alice: User) -> None:
    give(alice, 10)
    html = rendered('{% live_leaderboard board="global" limit=3 theme="dark" %}')
    assert '<live-leaderboard board="global" limit="3" theme="dark"' in html
    assert "leaderboard/live-leaderboard.js" in html
    assert page_has_row(html, "alice")


@pytest.mark.parametrize("arguments", ['board="x"', "limit=0", "limit=101", 'limit="10"', 'theme="pink"'])
def test_the_template_tag_refuses_what_does_not_exist(db: None, arguments: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=r"live_leaderboard: .* expected"):
        rendered(f"{{% live_leaderboard {arguments} %}}")
