"""Action tokens: only this server makes them, and every other spelling of one is none."""

import base64
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_django.fixtures import Settings

from accounts import identity_data
from accounts.models import User
from actions import token_keys, tokens
from actions.models import ActionToken, ActionType, Grant
from actions.tokens import Minted
from scoreboard.models import ScoreHistory, UserScore
from tests.support import forging
from tests.support.client import MINT, UPDATE, Api, assert_problem, assert_refused
from tests.support.people import bearer, update_body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited", "quiet_log")]


@pytest.fixture
def minted(alice: User) -> Minted:
    return tokens.mint(alice.pk, "WIN_MATCH")


def assert_unspent(minted: Minted) -> None:
    assert ActionToken.objects.get(pk=minted.action_id).redeemed_at is None
    assert not ScoreHistory.objects.exists()
    assert not UserScore.objects.filter(total__gt=0).exists()


def key(kid: str, algorithm: str, material: bytes) -> str:
    return f"{kid}:{algorithm}:{base64.b64encode(material).decode()}"


# --- Minting ----------------------------------------------------------------------------------------


def test_a_minted_token_says_what_its_row_says(api: Api, alice: User) -> None:
    answer = api.post(MINT, {"action_type": "COMPLETE_TASK"}, alice)
    assert answer.status_code == 201
    data = answer.json()["data"]
    row = ActionToken.objects.get(pk=data["action_id"])
    assert (data["action_type"], data["points"]) == (row.action_type, row.points) == ("COMPLETE_TASK", 10)
    assert row.user_id == alice.pk
    assert datetime.fromisoformat(data["issued_at"]) == row.issued_at
    assert datetime.fromisoformat(data["expires_at"]) == row.expires_at == row.issued_at + timedelta(seconds=300)
    assert row.not_before == row.issued_at + timedelta(seconds=1)
    claims = tokens.verify(data["action_token"])
    assert (claims.action_id, claims.user_id, claims.points) == (row.pk, alice.pk, 10)


@pytest.mark.parametrize("field", ["points", "delta", "increment", "score", "user_id", "action_id", "expires_at"])
def test_a_player_has_no_say_in_the_points_or_anything_else(api: Api, alice: User, field: str) -> None:
    refusal = assert_problem(api.post(MINT, {"action_type": "COMPLETE_TASK", field: 1}, alice), "invalid-request")
    assert list(refusal["errors"]) == [field]
    assert not ActionToken.objects.exists()


@pytest.mark.parametrize("slug", ["UNKNOWN", "win_match", "WIN_MATCH ", "'; DROP TABLE users;--", "%", "*"])
def test_there_is_no_token_for_what_is_not_in_the_catalogue(api: Api, alice: User, slug: str) -> None:
    assert_problem(api.post(MINT, {"action_type": slug}, alice), "not-found")
    assert not ActionToken.objects.exists()


def test_there_is_no_token_for_a_type_that_is_switched_off(api: Api, alice: User) -> None:
    ActionType.objects.filter(pk="COMPLETE_TASK").update(enabled=False)
    assert_problem(api.post(MINT, {"action_type": "COMPLETE_TASK"}, alice), "not-found")


def test_there_is_no_token_for_a_disabled_or_erased_player(api: Api, alice: User, bob: User) -> None:
    """Their access token is good for minutes yet."""
    held = [bearer(alice), bearer(bob)]
    User.objects.filter(pk=alice.pk).update(is_active=False)
    identity_data.anonymise(bob.pk)
    for credentials in held:
        assert_problem(api.post(MINT, {"action_type": "WIN_MATCH"}, headers=credentials), "not-authenticated")


def test_a_change_of_the_catalogue_does_not_touch_a_token_already_minted(api: Api, alice: User, minted: Minted) -> None:
    ActionType.objects.filter(pk="WIN_MATCH").update(points=1, token_lifetime=1, enabled=False)
    answer = api.post(UPDATE, update_body(minted), alice)
    assert answer.json()["data"]["score_delta"] == 50


# --- Forging ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("forgery", forging.FORGERIES)
def test_a_forged_token_is_refused_and_spends_nothing(api: Api, alice: User, minted: Minted, forgery: str) -> None:
    forged = forging.FORGERIES[forgery](minted)
    assert forged != minted.action_token
    answer = api.post(UPDATE, update_body(minted, action_token=forged), alice)
    assert answer.status_code in (400, 403)
    assert_refused(answer)
    assert_unspent(minted)


@pytest.mark.parametrize("forgery", ["claims: sub another player", "claims: act another", "claims: pts more"])
def test_the_control_an_honest_signature_is_not_what_stops_these(minted: Minted, forgery: str) -> None:
    assert tokens.verify(forging.FORGERIES[forgery](minted)).action_id == minted.action_id


def test_the_control_the_honest_token_is_paid(api: Api, alice: User, minted: Minted) -> None:
    assert api.post(UPDATE, update_body(minted), alice).status_code == 200


def test_the_control_a_token_rebuilt_with_the_key_is_as_good_as_ours(api: Api, alice: User, minted: Minted) -> None:
    rebuilt = forging.claims()(minted)
    assert api.post(UPDATE, update_body(minted, action_token=rebuilt), alice).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"action_id": str(uuid.uuid4())},
        {"action_type": "COMPLETE_TASK"},
        {"action_type": "win_match"},
        {"action_type": "WIN_MATCH "},
    ],
)
def test_the_body_has_to_say_what_the_token_says(
    api: Api, alice: User, minted: Minted, changes: dict[str, str]
) -> None:
    assert_problem(api.post(UPDATE, update_body(minted, **changes), alice), "token-invalid")
    assert_unspent(minted)


def test_another_player_s_token_is_refused_and_stays_good(api: Api, alice: User, bob: User, minted: Minted) -> None:
    assert_problem(api.post(UPDATE, update_body(minted), bob), "token-invalid")
    assert_unspent(minted)
    assert api.post(UPDATE, update_body(minted), alice).status_code == 200


@pytest.mark.parametrize("granted_by", Grant.values)
def test_a_token_whose_row_never_was_is_refused(api: Api, alice: User, granted_by: str) -> None:
    """A valid signature alone never scores, whoever grants the type: only a separate signer's tokens come without."""
    ActionType.objects.filter(slug="WIN_MATCH").update(granted_by=granted_by, cooldown=1)
    now = datetime.now(UTC)
    later = now + timedelta(minutes=5)
    action_id = uuid.uuid4()
    signed = tokens.sign(action_id, alice.pk, "WIN_MATCH", 50, now, later)
    ghost = Minted(action_id, "WIN_MATCH", 50, signed, now, later)
    assert_problem(api.post(UPDATE, update_body(ghost), alice), "token-invalid")
    assert not ScoreHistory.objects.exists()


def test_an_action_token_signs_nobody_in(api: Api, alice: User, minted: Minted) -> None:
    credentials = {"Authorization": f"Bearer {minted.action_token}"}
    assert_problem(api.post(MINT, {"action_type": "WIN_MATCH"}, headers=credentials), "not-authenticated")


# --- Keys -------------------------------------------------------------------------------------------


def test_a_key_id_swapped_for_another_s_is_refused(api: Api, alice: User, settings: Settings) -> None:
    settings.ACTION_TOKEN_KEYS = [key("one", "HS256", b"1" * 32), key("two", "HS256", b"2" * 32)]
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    for forge in (
        forging.header(kid="two", key=b"1" * 32),
        forging.header(kid="one", key=b"2" * 32),
        forging.header(kid="two", signature=forging.parts(minted)[2]),
    ):
        answer = api.post(UPDATE, update_body(minted, action_token=forge(minted)), alice)
        assert_problem(answer, "token-invalid")
    assert_unspent(minted)
    second = forging.header(kid="two", key=b"2" * 32)(minted)
    assert api.post(UPDATE, update_body(minted, action_token=second), alice).status_code == 200


def test_the_public_key_of_ed25519_signs_nothing_as_a_secret(api: Api, alice: User, settings: Settings) -> None:
    """The classic confusion: what everybody may know, used as an HMAC key."""
    seed = b"s" * 32
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    settings.ACTION_TOKEN_KEYS = [key("ed", "EdDSA", seed)]
    minted = tokens.mint(alice.pk, "WIN_MATCH")
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for material in (raw, pem, der, base64.b64encode(raw), forging.b64(raw).encode(), raw.hex().encode(), b""):
        for algorithm in ("HS256", "EdDSA", "none", "HS512"):
            forged = forging.header(alg=algorithm, key=material or b"\0")(minted)
            assert_problem(api.post(UPDATE, update_body(minted, action_token=forged), alice), "token-invalid")
    assert_unspent(minted)
    assert api.post(UPDATE, update_body(minted), alice).status_code == 200


def test_an_old_key_still_verifies_while_a_new_one_signs(api: Api, alice: User, settings: Settings) -> None:
    old, new = key("old", "HS256", b"1" * 32), key("new", "EdDSA", b"2" * 32)
    settings.ACTION_TOKEN_KEYS = [old]
    before = tokens.mint(alice.pk, "WIN_MATCH")
    settings.ACTION_TOKEN_KEYS = [new, old]
    after = tokens.mint(alice.pk, "WIN_MATCH")
    assert forging.parts(after)[0] == {"alg": "EdDSA", "kid": "new", "typ": "JWT"}
    assert api.post(UPDATE, update_body(before), alice).status_code == 200
    settings.ACTION_TOKEN_KEYS = [new]
    assert api.post(UPDATE, update_body(after), alice).status_code == 200
    assert_problem(api.post(UPDATE, update_body(before), alice), "token-invalid")


BAD_KEYS = {
    "no parts": "topsecret",
    "no algorithm": f"{base64.b64encode(b'topsecret' * 4).decode()}:HS256",
    "a key for an id": f"{base64.b64encode(b'topsecret' * 4).decode()}:HS256:",
    "no id": f":HS256:{base64.b64encode(b'topsecret' * 4).decode()}",
    "short": key("k", "HS256", b"topsecret"),
    "not base64": "k:HS256:topsecret!topsecret!topsecret!",
    "unknown algorithm": key("k", "HS512", b"topsecret" * 8),
    "none": key("k", "none", b"topsecret" * 4),
    "seed too long": key("k", "EdDSA", b"topsecret" * 4),
    "public key too short": key("k", "EdDSA-public", b"topsecret"),
}


@pytest.mark.parametrize("fault", BAD_KEYS)
def test_a_bad_key_is_named_without_being_shown(fault: str) -> None:
    specification = BAD_KEYS[fault]
    with pytest.raises(ValueError, match="ACTION_TOKEN_KEYS") as raised:
        token_keys.parse_keys((specification,), "s" * 50)
    said = str(raised.value)
    for leak in ("topsecret", base64.b64encode(b"topsecret").decode()[:8]):
        assert leak not in said


def test_two_keys_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="used twice"):
        token_keys.parse_keys((key("k", "HS256", b"1" * 32), key("k", "HS256", b"2" * 32)), "s" * 50)
