"""Who a viewer is, and who may be one."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from django.conf import settings as site
from django.db import connection as database
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.models import User
from tests.system.live.clients import ALICE, Message, Socket, answer, authorization, token_of, viewer, watcher
from tests.system.live.conftest import Fleet, Start, share
from tests.system.live.server import NOWHERE, Server, database_url
from tests.system.live.writing import empty_board, user_id, write

FOREIGN = "https://elsewhere.example"


def forged(**changes: Any) -> str:
    """A token of ours, changed and signed again with our key."""
    claims = {**jwt.decode(token_of(), options={"verify_signature": False}), **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, site.SIMPLE_JWT["SIGNING_KEY"], algorithm="HS256")


def known(alice: Socket) -> Message:
    """The greeting of a viewer whose identity is known, and the own line that follows."""
    alice.until("connection_success", user_id=ALICE)
    return alice.until("you")


CLAIMS = jwt.decode(token_of(), options={"verify_signature": False})
BAD_TOKENS = {
    "nonsense": "nonsense",
    "empty": "",
    "expired": token_of(lifetime=-site.JWT_LEEWAY - 1),
    "not a user": token_of(subject="alice"),
    "no subject": forged(sub=None),
    "no sign-in": forged(sid=None),
    "subject of another type": forged(sub=7),
    "never expires": forged(exp=None),
    "another audience": forged(aud="scoreboard:action"),
    "a refresh token": str(RefreshToken()),
    "unsigned": jwt.encode(CLAIMS, "", algorithm="none"),
    "another key": jwt.encode(CLAIMS, "k" * 40, algorithm="HS256"),
    "endless": "x" * 5000,
}
bad_tokens = pytest.mark.parametrize("bad", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())


class TestOnAPublicBoard:
    def test_the_subprotocol_may_carry_a_token(self, live: Server) -> None:
        with viewer(live, protocols=("bearer", token_of())) as alice:
            assert alice.connection.subprotocol == "bearer"
            known(alice)

    def test_the_authorization_header_may(self, live: Server) -> None:
        with viewer(live, headers=authorization(token_of())) as alice:
            assert alice.connection.subprotocol is None
            known(alice)
        with watcher(live, **authorization(token_of())) as alice:
            alice.until("connection_success", user_id=ALICE)
            alice.until("you")

    def test_the_first_message_may_and_the_greeting_is_repeated(self, live: Server) -> None:
        with viewer(live) as alice:
            assert alice.opening()[0]["user_id"] is None
            alice.say(type="authenticate", token=token_of())
            known(alice)

    def test_a_viewer_may_become_another_player(self, live: Server) -> None:
        write("alice", 30)
        write("bob", 20)
        with viewer(live, protocols=("bearer", token_of())) as alice:
            alice.until("you", rank=1)
            alice.say(type="authenticate", token=token_of(str(user_id("bob"))))
            alice.until("connection_success", user_id=str(user_id("bob")))
            alice.until("you", rank=2)

    def test_the_query_string_may_not(self, live: Server) -> None:
        for query in (f"?token={token_of()}", f"?access_token={token_of()}", f"?jwt={token_of()}"):
            with viewer(live, query) as alice:
                assert alice.next()["code"] == "invalid-request"

    @bad_tokens
    def test_a_bad_token_costs_nobody_the_view(self, live: Server, bad: str) -> None:
        with viewer(live, headers={"Authorization": f"Bearer {bad}"}) as alice:
            assert alice.until("connection_success")["user_id"] is None
            alice.until("leaderboard_update")
            if len(bad) < 4000:
                alice.say(type="authenticate", token=bad)
                assert alice.until("error")["code"] == "not-authenticated"
                alice.say(type="authenticate", token=token_of())
                known(alice)
        with watcher(live, **authorization(bad)) as bob:
            assert bob.next()["code"] == "not-authenticated"
            assert bob.opening()[0]["user_id"] is None

    @pytest.mark.parametrize("raw", [None, 7, [], {}, True])
    def test_a_token_of_another_type_is_an_error(self, live: Server, raw: object) -> None:
        with viewer(live) as alice:
            alice.opening()
            alice.say(type="authenticate", token=raw)
            assert alice.next()["code"] == "not-authenticated"

    def test_an_expired_token_ends_the_own_line_but_not_the_view(self, live: Server) -> None:
        with viewer(live, protocols=("bearer", token_of(lifetime=4 - site.JWT_LEEWAY))) as alice:
            known(alice)
            assert alice.until("error")["code"] == "not-authenticated"
            assert alice.until("connection_success")["user_id"] is None
            write("alice", 30)
            alice.scores({"alice": 30})
            alice.say(type="authenticate", token=token_of())
            assert known(alice)["score"] == 30

    def test_a_new_token_before_the_old_one_expires_keeps_the_own_line(self, live: Server) -> None:
        with viewer(live, protocols=("bearer", token_of(lifetime=4 - site.JWT_LEEWAY))) as alice:
            known(alice)
            alice.say(type="authenticate", token=token_of())
            alice.until("connection_success", user_id=ALICE)
            expiry, version = time.monotonic() + 4.5, 0
            while time.monotonic() < expiry:
                version += 1
                write("alice", version, version)
                assert alice.until("you", score=version)


class TestOnAPrivateBoard:
    def test_nothing_is_shown_before_the_viewer_is_known(self, private: Server) -> None:
        write("alice", 30)
        with viewer(private) as alice:
            alice.say(type="resume")
            assert alice.next()["code"] == "invalid-request"  # it is early; nothing is wrong with its credentials
            alice.say(type="authenticate", token=token_of())
            assert alice.next()["user_id"] == ALICE
            alice.scores({"alice": 30})

    def test_whoever_does_not_sign_in_within_five_seconds_is_closed(self, private: Server) -> None:
        began = time.monotonic()
        with viewer(private) as alice:
            messages, close_code = alice.ending()
        assert [message["code"] for message in messages] == ["not-authenticated"]
        assert close_code == 4501
        assert time.monotonic() - began > 4

    @bad_tokens
    def test_a_bad_token_is_the_end(self, private: Server, bad: str) -> None:
        with viewer(private, headers={"Authorization": f"Bearer {bad}"}) as alice:
            messages, close_code = alice.ending()
        assert [message["code"] for message in messages] == ["not-authenticated"]
        assert close_code == 4501
        if len(bad) < 4000:
            with viewer(private) as alice:
                alice.say(type="authenticate", token=bad)
                assert alice.ending()[1] == 4501
        response, body = answer(private, **authorization(bad))
        assert response.status == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert body["type"] == "/problems/not-authenticated"

    def test_an_expired_token_ends_the_view(self, private: Server) -> None:
        with viewer(private, protocols=("bearer", token_of(lifetime=4 - site.JWT_LEEWAY))) as alice:
            known(alice)
            messages, close_code = alice.ending()
        assert messages[-1]["code"] == "not-authenticated"
        assert close_code == 4501
        with watcher(private, **authorization(token_of(lifetime=4 - site.JWT_LEEWAY))) as bob:
            assert bob.rest()[-1]["code"] == "not-authenticated"
            assert bob.ended

    def test_the_stream_needs_a_token(self, private: Server) -> None:
        assert answer(private)[0].status == 401
        with watcher(private, **authorization(token_of())) as alice:
            assert alice.opening()[0]["user_id"] == ALICE

    def test_pages_elsewhere_are_refused_whatever_the_list_says(self, private: Server) -> None:
        with viewer(private, origin=FOREIGN, protocols=("bearer", token_of())) as alice:
            assert alice.ending()[1] == 4503
        response, _ = answer(private, Origin=FOREIGN, **authorization(token_of()))
        assert response.status == 403
        assert "access-control-allow-origin" not in response.headers


class TestOrigins:
    def test_a_public_board_may_be_shown_anywhere(self, live: Server) -> None:
        with viewer(live, origin=FOREIGN) as alice:
            alice.opening()

    def test_a_list_admits_its_members_and_the_site_itself(self, start: Start) -> None:
        listed = start(LEADERBOARD_ORIGINS="https://friend.example,https://other.example", DATABASE_URL=NOWHERE)
        for origin in ("https://friend.example", f"http://127.0.0.1:{listed.port}", None):
            with viewer(listed, origin=origin) as alice:
                alice.opening()
        for origin in (FOREIGN, "null", "https://friend.example:8443", "http://friend.example", "http://127.0.0.1:1"):
            with viewer(listed, origin=origin) as alice:
                messages, close_code = alice.ending()
            assert [message["code"] for message in messages] == ["forbidden"]
            assert close_code == 4503
        with watcher(listed, Origin="https://friend.example") as alice:
            alice.opening()
            assert alice.response.headers["access-control-allow-origin"] == "https://friend.example"
            assert alice.response.headers["vary"] == "Origin"

    @pytest.mark.long
    def test_a_name_that_is_not_ours_is_not_the_site_itself(self, start: Start) -> None:
        """DNS rebinding: the page's origin equals the Host header, because its name was made to point here."""
        listed = start(LEADERBOARD_ORIGINS="", DATABASE_URL=NOWHERE)
        response, _ = answer(listed, Host="evil.example", Origin="http://evil.example")
        assert response.status == 403


@pytest.fixture(scope="class")
def with_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Ended after the tests of a class: its sessions would be in the way of those that copy the database."""
    fleet = Fleet(tmp_path_factory.mktemp("live"))
    yield fleet
    fleet.close()


class TestSessions:
    @pytest.fixture
    def cookie(self, alice: User) -> str:
        client = Client()
        client.force_login(alice)
        return f"{site.SESSION_COOKIE_NAME}={client.cookies[site.SESSION_COOKIE_NAME].value}"

    @pytest.fixture
    def server(self, transactional_db: None, with_database: Fleet, settings: Settings) -> Server:
        """On an empty board."""
        share(settings, with_database.prefix)
        empty_board()
        return with_database.server(DATABASE_URL=database_url())

    def test_the_sites_own_page_is_known_by_its_session(self, server: Server, alice: User, cookie: str) -> None:
        own = f"http://127.0.0.1:{server.port}"
        with viewer(server, origin=own, headers={"Cookie": cookie}) as page:
            page.until("connection_success", user_id=str(alice.pk))
            page.until("you")
        for origin in ({}, {"Origin": own}):
            with watcher(server, Cookie=cookie, **origin) as stream:
                stream.until("connection_success", user_id=str(alice.pk))

    def test_a_foreign_page_does_not_act_as_the_visitor(self, server: Server, alice: User, cookie: str) -> None:
        """Whose session is looked up takes a while: by the time that the site's own page is known, so would they be."""

        def look_up() -> None:
            with viewer(server, origin=f"http://127.0.0.1:{server.port}", headers={"Cookie": cookie}) as page:
                page.until("connection_success", user_id=str(alice.pk))
                page.until("you")

        for origin in (FOREIGN, None):
            with viewer(server, origin=origin, headers={"Cookie": cookie}) as page:
                assert page.opening()[0]["user_id"] is None
                look_up()
                page.say(type="resume")
                assert page.next()["type"] == "leaderboard_update"
        with watcher(server, Cookie=cookie, Origin=FOREIGN) as stream:
            stream.opening()
            look_up()
            write("alice", 1)
            assert stream.next()["type"] == "leaderboard_update"

    def test_a_private_board_takes_a_session_too(self, start: Start, alice: User, cookie: str) -> None:
        server = start(LEADERBOARD_PUBLIC="false")
        own = f"http://127.0.0.1:{server.port}"
        with viewer(server, origin=own, headers={"Cookie": cookie}) as page:
            assert page.opening()[0]["user_id"] == str(alice.pk)
        with watcher(server, Cookie=cookie) as stream:
            assert stream.opening()[0]["user_id"] == str(alice.pk)

    @pytest.mark.parametrize("change", ["forged", "signed out", "disabled"])
    @pytest.mark.long
    def test_a_session_that_is_nobodys_is_refused_there(
        self, start: Start, alice: User, cookie: str, change: str
    ) -> None:
        if change == "forged":
            cookie = f"{site.SESSION_COOKIE_NAME}={uuid.uuid4().hex}"
        elif change == "disabled":
            User.objects.filter(pk=alice.pk).update(is_active=False)
        else:
            alice.set_password("another pass phrase")
            alice.save()
        server = start(LEADERBOARD_PUBLIC="false")
        own = f"http://127.0.0.1:{server.port}"
        with viewer(server, origin=own, headers={"Cookie": cookie}) as page:
            assert page.ending()[1] == 4501
        assert answer(server, Cookie=cookie)[0].status == 401

    @pytest.mark.long
    def test_without_postgresql_a_session_is_nobodys_fault(self, start: Start, cookie: str) -> None:
        public = start(DATABASE_URL=NOWHERE)
        with viewer(public, origin=f"http://127.0.0.1:{public.port}", headers={"Cookie": cookie}) as page:
            assert page.opening()[0]["user_id"] is None
            write("alice", 30)
            page.scores({"alice": 30})
        private = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUBLIC="false")
        with viewer(private, origin=f"http://127.0.0.1:{private.port}", headers={"Cookie": cookie}) as page:
            messages, close_code = page.ending()
        assert [message["code"] for message in messages] == ["unavailable"]
        assert close_code == 4001
        response, _ = answer(private, Cookie=cookie)
        assert response.status == 503
        assert response.headers["retry-after"]

    def test_signing_out_reaches_the_open_connection(self, start: Start, alice: User, cookie: str) -> None:
        """A session is believed as long as an access token, then looked at again."""
        server = start(JWT_ACCESS_MINUTES="0")
        with viewer(server, origin=f"http://127.0.0.1:{server.port}", headers={"Cookie": cookie}) as page:
            page.until("connection_success", user_id=str(alice.pk))
            with database.cursor() as cursor:
                cursor.execute("DELETE FROM sessions")
            assert page.until("error")["code"] == "not-authenticated"
            assert page.until("connection_success")["user_id"] is None
