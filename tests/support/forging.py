"""Action tokens as a cheat would make them: each from an honest one, none of them to be paid."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from actions import token_keys, tokens
from actions.tokens import Minted

Forgery = Callable[[Minted], str]

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def secret() -> bytes:
    """The server's own HS256 key: for forgeries by one who has stolen it, or shares it."""
    material = token_keys.signing_key().signing
    assert isinstance(material, bytes)
    return material


def hs(signed: str, key: bytes, digest: str = "sha256") -> str:
    return b64(hmac.new(key, signed.encode(), digest).digest())


def parts(minted: Minted) -> tuple[dict[str, Any], dict[str, Any], str]:
    """(header, claims, signature) of the honest token."""
    head, payload, signature = minted.action_token.split(".")
    return json.loads(unb64(head)), json.loads(unb64(payload)), signature


def compact(header: Any, claims: Any, signature: str | None = None, *, key: bytes | None = None) -> str:
    """A compact JWS of any header and claims, signed with HS256 under `key`, ours by default, if not by `signature`."""
    raw_header = header if isinstance(header, bytes) else json.dumps(header).encode()
    raw_claims = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{b64(raw_header)}.{b64(raw_claims)}"
    return f"{signed}.{hs(signed, key or secret()) if signature is None else signature}"


def header(*, signature: str | None = None, key: bytes | None = None, **changes: Any) -> Forgery:
    """The honest claims under a changed header; a change to ... removes the member."""

    def forge(minted: Minted) -> str:
        head, claims, _ = parts(minted)
        return compact(changed(head, changes), claims, signature, key=key)

    return forge


def claims(**changes: Any) -> Forgery:
    """Changed claims under an honest signature: what a thief of the key, or a careless separate signer, could make."""

    def forge(minted: Minted) -> str:
        head, honest, _ = parts(minted)
        return compact(head, changed(honest, changes))

    return forge


def tampered(**changes: Any) -> Forgery:
    """Changed claims with the signature of the honest ones."""

    def forge(minted: Minted) -> str:
        head, honest, signature = parts(minted)
        return compact(head, changed(honest, changes), signature)

    return forge


def changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}


def spelled(spell: Callable[[str], str]) -> Forgery:
    """The honest token in another spelling."""
    return lambda minted: spell(minted.action_token)


def malleable(token: str) -> str:
    """The last character of 43 carries two bits that no byte of the signature uses."""
    return token[:-1] + BASE64URL[BASE64URL.index(token[-1]) ^ 1]


def flipped(token: str, at: int) -> str:
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


def json_form(token: str) -> str:
    head, payload, signature = token.split(".")
    return json.dumps({"protected": head, "payload": payload, "signature": signature})


SIGNATURE_WRONG: dict[str, Forgery] = {
    "alg none without signature": header(alg="none", signature=""),
    "alg none with the honest signature": lambda m: header(alg="none", signature=parts(m)[2])(m),
    "alg None": header(alg="None", signature=""),
    "alg nOnE, signed": header(alg="nOnE"),
    "alg empty": header(alg=""),
    "alg missing": header(alg=...),
    "alg null": header(alg=None),
    "alg a number": header(alg=256),
    "alg a list": header(alg=["HS256"]),
    "alg in small letters": header(alg="hs256"),
    **{
        f"alg {name}": header(alg=name)
        for name in ("HS384", "HS512", "RS256", "PS256", "ES256", "ES256K", "EdDSA", "A256KW")
    },
    "alg HS512, signed so": lambda m: header(
        alg="HS512", signature=hs(".".join(header(alg="HS512")(m).split(".")[:2]), secret(), "sha512")
    )(m),
    "another key": header(key=b"k" * 32),
    "the empty key": header(key=b"\0" * 32),
    "the SECRET_KEY itself": lambda m: header(key=settings.SECRET_KEY.encode())(m),
    "a hash of the SECRET_KEY": lambda m: header(key=hashlib.sha256(settings.SECRET_KEY.encode()).digest())(m),
    "kid missing": header(kid=...),
    "kid empty": header(kid=""),
    "kid null": header(kid=None),
    "kid a number": header(kid=0),
    "kid a list": header(kid=["default"]),
    "kid an object": header(kid={"a": 1}),
    "kid unknown": header(kid="other"),
    "kid with a blank": header(kid="default "),
    "kid a path": header(kid="../../../../dev/null", key=b"\0"),
    "kid SQL": header(kid="x' UNION SELECT 'k'--", key=b"k"),
    "kid with NUL": header(kid="default\0"),
    "kid long": header(kid="k" * 1000),
    "embedded key": header(jwk={"kty": "oct", "k": b64(b"k" * 32)}, key=b"k" * 32),
    "key by address": header(jku="https://evil.example/keys", x5u="https://evil.example/cert", key=b"k" * 32),
    "no signature": spelled(lambda t: t.rpartition(".")[0] + "."),
    "half a signature": spelled(lambda t: t[:-20]),
    "first bit of the signature": spelled(lambda t: flipped(t, t.rindex(".") + 1)),
    "first bit of the payload": spelled(lambda t: flipped(t, t.index(".") + 1)),
    "signature of another token": lambda m: header(signature=hs("a.b", secret()))(m),
    "more points": tampered(pts=1_000_000),
    "another player": tampered(sub=str(uuid.UUID(int=1))),
    "a later end": tampered(exp=2**31),
    "an access token": lambda m: str(AccessToken()),
    "a refresh token": lambda m: str(RefreshToken()),
}

CLAIMS_WRONG: dict[str, Forgery] = {
    **{f"no {name}": claims(**{name: ...}) for name in tokens.CLAIMS},
    **{f"{name} null": claims(**{name: None}) for name in tokens.CLAIMS},
    **{f"{name} a list": claims(**{name: ["x"]}) for name in tokens.CLAIMS},
    **{f"{name} an object": claims(**{name: {"x": 1}}) for name in tokens.CLAIMS},
    **{f"{name} true": claims(**{name: True}) for name in tokens.CLAIMS},
    **{f"{name} 1.5": claims(**{name: 1.5}) for name in tokens.CLAIMS},
    **{f"{name} 2^63": claims(**{name: 2**63}) for name in tokens.CLAIMS},
    **{f"{name} NaN": claims(**{name: float("nan")}) for name in tokens.CLAIMS},
    **{f"{name} negative": claims(**{name: -1}) for name in tokens.CLAIMS},
    **{f"{name} NUL": claims(**{name: "\0"}) for name in tokens.CLAIMS},
    **{f"{name} a lone surrogate": claims(**{name: "\ud800"}) for name in tokens.CLAIMS},
    "jti another": claims(jti=str(uuid.UUID(int=1))),
    "jti not a UUID": claims(jti="1"),
    "jti a number": claims(jti=1),
    "sub another player": claims(sub=str(uuid.UUID(int=1))),
    "sub not a UUID": claims(sub="alice"),
    "act another": claims(act="COMPLETE_TASK"),
    "act unknown": claims(act="WIN_EVERYTHING"),
    "pts more": claims(pts=51),
    "pts less": claims(pts=49),
    "pts none": claims(pts=0),
    "pts text": claims(pts="50"),
    "exp text": claims(exp="9999999999"),
    "aud of the API": claims(aud="scoreboard:api"),
    "aud a list with ours": claims(aud=["scoreboard:action"]),
    "aud a list with more": claims(aud=["scoreboard:action", "other"]),
    "not before tomorrow": claims(nbf=2**33),
    "a critical extension": header(crit=["exp"], exp=0),
    "an unknown critical extension": header(crit=["x"], x=True),
    "an unencoded payload": header(crit=["b64"], b64=False),
}

SPELLED_WRONG: dict[str, Forgery] = {
    "blank before": spelled(lambda t: " " + t),
    "blank behind": spelled(lambda t: t + " "),
    "newline behind": spelled(lambda t: t + "\n"),
    "carriage return behind": spelled(lambda t: t + "\r"),
    "newline inside": spelled(lambda t: t[:50] + "\n" + t[50:]),
    "tab inside": spelled(lambda t: t[:50] + "\t" + t[50:]),
    "zero-width space": spelled(lambda t: t + "\u200b"),
    "full-width full stop": spelled(lambda t: t.replace(".", "\uff0e")),
    "with Bearer": spelled(lambda t: "Bearer " + t),
    "padding": spelled(lambda t: t + "="),
    "padding in each part": spelled(lambda t: ".".join(p + "=" * (-len(p) % 4) for p in t.split("."))),
    "an alphabet with + and /": spelled(lambda t: t.replace("-", "+").replace("_", "/") + "/"),
    "unused bits set": spelled(malleable),
    "four parts": spelled(lambda t: t + ".x"),
    "five parts": spelled(lambda t: t + ".x.x"),
    "two parts": spelled(lambda t: t.rpartition(".")[0]),
    "one part": spelled(lambda t: t.replace(".", "")),
    "empty parts": spelled(lambda t: ".."),
    "first part empty": spelled(lambda t: "." + t.partition(".")[2]),
    "doubled": spelled(lambda t: t + t),
    "the JSON form": spelled(json_form),
    "header not JSON": lambda m: compact(b"{", parts(m)[1]),
    "header a list": lambda m: compact([], parts(m)[1]),
    "header a text": lambda m: compact("x", parts(m)[1]),
    "header null": lambda m: compact(None, parts(m)[1]),
    "header empty": lambda m: compact({}, parts(m)[1]),
    "header not UTF-8": lambda m: compact(b"\xff\xfe", parts(m)[1]),
    "header 1,000 deep": lambda m: f"{b64(b'[' * 1000)}.e30.x",
    "payload not JSON": lambda m: compact(parts(m)[0], b"{"),
    "payload a list": lambda m: compact(parts(m)[0], []),
    "payload not UTF-8": lambda m: compact(parts(m)[0], b"\xff\xfe"),
    "payload empty": lambda m: compact(parts(m)[0], b""),
    "payload 1,000 deep": lambda m: compact(parts(m)[0], b"[" * 1000),
    "a part of impossible length": spelled(lambda t: "A" + t),
}

FORGERIES = {
    **{f"signature: {name}": forge for name, forge in SIGNATURE_WRONG.items()},
    **{f"claims: {name}": forge for name, forge in CLAIMS_WRONG.items()},
    **{f"spelling: {name}": forge for name, forge in SPELLED_WRONG.items()},
}
