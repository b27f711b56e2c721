"""What a separate signer did not sign, or signed wrongly, is refused: algorithm confusion, other keys, odd claims."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django.fixtures import Settings

from accounts.models import User
from actions.models import ActionToken, ActionType
from scoreboard.models import ScoreHistory
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.signer import Signer, handed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits", "unlimited")]

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the curve's group


@pytest.fixture
def signer(db: None, settings: Settings) -> Signer:
    """Beside a key of the server's own."""
    signer = Signer()
    settings.ACTION_TOKEN_KEYS = ["own:HS256:" + base64.b64encode(b"0" * 32).decode(), signer.setting]
    ActionType.objects.filter(slug="WIN_MATCH").update(granted_by="signer")
    return signer


@pytest.fixture
def refused(api: Api, alice: User) -> Callable[[str, dict[str, Any]], None]:
    """Hands a token in and expects 403 token-invalid, with nothing written."""

    def expect(token: str, claims: dict[str, Any]) -> None:
        assert_problem(api.post(UPDATE, handed_in(token, claims), alice), "token-invalid")
        assert not ActionToken.objects.exists()
        assert not ScoreHistory.objects.exists()

    return expect


Refused = Callable[[str, dict[str, Any]], None]


def encoded(part: bytes | dict[str, Any]) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hmac_token(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """A token that an attacker "signs" with whatever bytes they know."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(key, signed.encode(), hashlib.sha256))}"


@pytest.mark.parametrize("shape", ["raw", "pem", "der", "base64", "setting", "empty"])
@pytest.mark.parametrize("algorithm", ["HS256", "hs256", "EdDSA", "HS512"])
def test_the_public_key_is_no_secret_to_sign_with(
    signer: Signer, alice: User, refused: Refused, shape: str, algorithm: str
) -> None:
    public = signer.private.public_key()
    known = {
        "raw": signer.public,
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "base64": base64.b64encode(signer.public),
        "setting": signer.setting.encode(),
        "empty": b"",
    }
    claims = signer.claims(alice)
    refused(hmac_token({"alg": algorithm, "kid": "policy", "typ": "JWT"}, claims, known[shape]), claims)


@pytest.mark.parametrize(
    "header",
    [
        *({"alg": none, "kid": "policy"} for none in ("none", "None", "", None)),
        *(
            {"alg": "EdDSA", "kid": kid}
            for kid in ("own", "other", "", None, 5, ["policy"], "policy ", "POLICY", "../x")
        ),
        {"alg": "EdDSA"},
        {"alg": "HS256", "kid": "own"},
        {"alg": ["EdDSA"], "kid": "policy"},
    ],
)
def test_the_header_chooses_neither_key_nor_algorithm(
    signer: Signer, alice: User, refused: Refused, header: dict[str, Any]
) -> None:
    claims = signer.claims(alice)
    signed = f"{encoded(header)}.{encoded(claims)}"
    for signature in (signer.private.sign(signed.encode()), b"x", b"\0" * 64):
        refused(f"{signed}.{encoded(signature)}", claims)


def test_a_key_in_the_header_is_not_believed(signer: Signer, alice: User, refused: Refused) -> None:
    stranger = Signer()
    claims = signer.claims(alice)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encoded(stranger.public), "kid": "policy"}
    for header in ({"jwk": jwk}, {"jku": "https://evil.example/keys"}, {"x5c": [encoded(stranger.public)]}, {}):
        refused(stranger.sign(claims, **header), claims)


def test_a_signature_has_one_form(signer: Signer, alice: User, refused: Refused, api: Api) -> None:
    claims = signer.claims(alice)
    token = signer.sign(claims)
    head, _, text = token.rpartition(".")
    signature = base64.urlsafe_b64decode(text + "==")
    shifted = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    refused(f"{head}.{encoded(signature[:32] + shifted)}", claims)
    for other in (text[:-1] + chr(ord(text[-1]) ^ 1), text + "=", text + "==", text[:-2], text + "AA"):
        refused(f"{head}.{other}", claims)
    assert api.post(UPDATE, handed_in(token, claims), alice).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        *({"aud": wrong} for wrong in (None, "", "scoreboard:api", ["scoreboard:action"], ["scoreboard:action", "x"])),
        *({"iat": wrong} for wrong in (None, 0.5, "1", True, -1, 2**37, 2**53, 10**400, "NaN")),
        *({"exp": wrong} for wrong in (None, 0.5, "9999999999", True, -1, 2**37, 2**38, 2**53, 2**63, [1])),
        *({"pts": wrong} for wrong in (None, 50.0, "50", True, -50, 2**37, 2**63, 10**400)),
        *({"sub": wrong} for wrong in (None, "", "me", 5, ["x"])),
        {"nbf": 2**36},
    ],
)
def test_claims_are_exactly_of_our_types(
    signer: Signer, alice: User, refused: Refused, changes: dict[str, Any]
) -> None:
    claims = signer.claims(alice)
    signed = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    header = encoded({"alg": "EdDSA", "kid": "policy"})
    text = f"{header}.{encoded(signed)}"
    refused(f"{text}.{encoded(signer.private.sign(text.encode()))}", claims)


@pytest.mark.parametrize(("ahead", "status"), [(0, 200), (5, 425), (15, 403), (60, 403), (10**6, 403), (2**36, 403)])
def test_issued_in_the_future_is_refused(api: Api, signer: Signer, alice: User, ahead: int, status: int) -> None:
    issued = int(time.time()) + ahead
    answer = api.post(UPDATE, signer.body(alice, iat=issued, exp=issued + 60), alice)
    assert answer.status_code == status
    assert ActionToken.objects.exists() == (status != 403), "a signer's clock may be a little ahead of PostgreSQL's"


@pytest.mark.parametrize("life", [301, 3600, 10**9, 2**36])
def test_no_token_lives_longer_than_its_type_allows(api: Api, signer: Signer, alice: User, life: int) -> None:
    long_ago = int(time.time()) - ActionType.objects.get(slug="WIN_MATCH").token_lifetime - 1
    answer = api.post(UPDATE, signer.body(alice, iat=long_ago, exp=long_ago + life + 1), alice)
    assert_problem(answer, "token-expired")
    assert not ScoreHistory.objects.exists()


@pytest.mark.parametrize("ago", [0, 1, 60, 10**6])
def test_expired_is_expired(api: Api, signer: Signer, alice: User, ago: int) -> None:
    now = int(time.time())
    assert_problem(api.post(UPDATE, signer.body(alice, iat=now - ago - 60, exp=now - ago), alice), "token-expired")
    assert not ScoreHistory.objects.exists()


def test_it_expires_before_it_is_issued(api: Api, signer: Signer, alice: User) -> None:
    now = int(time.time())
    answer = api.post(UPDATE, signer.body(alice, iat=now, exp=now - 100), alice)
    assert_problem(answer, "token-expired")
