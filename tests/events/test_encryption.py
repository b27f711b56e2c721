"""AES-256-GCM: a receiver with the key reads what was sent, and what was changed on the way is refused."""

import base64
import json
import os
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from events.encryption import keys, sealed
from events.envelope import envelope, text
from tests.events.documentation import documented

KEYS = {"2026": os.urandom(32), "2027": os.urandom(32)}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
ATTRIBUTE = st.text(min_size=1, max_size=30)


def named(*kids: str) -> list[str]:
    return [f"{kid}:{base64.b64encode(KEYS[kid]).decode()}" for kid in kids]


def decrypt(event: dict[str, Any]) -> dict[str, Any]:
    """As docs/events.md prints it."""
    space: dict[str, Any] = {}
    exec(documented("def decrypted"), space)  # noqa: S102
    opened: dict[str, Any] = space["decrypted"](event, KEYS)
    return opened


@pytest.fixture
def encrypting(settings: Settings) -> None:
    settings.EVENT_ENCRYPTION_KEYS = named("2026")


def an_event(data: dict[str, Any] | None = None) -> dict[str, Any]:
    return envelope("scoreboard.updates", "1", "me", "2026-11-26T20:00:00Z", data or {"score": 7}, sequence="1")


@given(kind=ATTRIBUTE, event_id=ATTRIBUTE, subject=ATTRIBUTE, data=st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_whatever_is_in_it_comes_out_as_it_went_in(
    kind: str, event_id: str, subject: str, data: dict[str, Any]
) -> None:
    event = envelope(kind, event_id, subject, "2026-11-26T20:00:00Z", data, sequence="1")
    with_keys = pytest.MonkeyPatch()
    with with_keys.context() as patch:
        patch.setattr("events.encryption.settings.EVENT_ENCRYPTION_KEYS", named("2026"), raising=False)
        arrived = json.loads(text(sealed(event)))
    assert "data" not in arrived
    assert arrived["keyid"] == "2026"
    assert {**decrypt(arrived), "datacontenttype": "application/json"} == {**event, "keyid": "2026"}


@pytest.mark.usefixtures("encrypting")
@pytest.mark.parametrize("name", ["type", "source", "id", "subject", "time", "sequence", "specversion", "keyid"])
def test_an_attribute_that_was_changed_taken_away_or_added_is_noticed(name: str) -> None:
    event = sealed(an_event())
    assert decrypt(event)["data"] == {"score": 7}
    without = {key: value for key, value in event.items() if key != name}
    changed = {**event, name: "2027" if name == "keyid" else event[name] + "x"}
    for tampered in [changed, *([without] if name != "keyid" else []), {**event, "extra": "x"}]:
        with pytest.raises(InvalidTag):
            decrypt(tampered)


@pytest.mark.usefixtures("encrypting")
def test_a_payload_does_not_fit_into_another_envelope() -> None:
    one, other = sealed(an_event()), sealed({**an_event(), "id": "2"})
    with pytest.raises(InvalidTag):
        decrypt({**one, "data_base64": other["data_base64"]})
    raw = bytearray(base64.b64decode(one["data_base64"]))
    raw[-1] ^= 1
    with pytest.raises(InvalidTag):
        decrypt({**one, "data_base64": base64.b64encode(raw).decode()})


@pytest.mark.usefixtures("encrypting")
def test_no_two_are_alike() -> None:
    assert len({sealed(an_event())["data_base64"] for _ in range(100)}) == 100


def test_the_first_key_encrypts_and_older_events_stay_readable(settings: Settings) -> None:
    settings.EVENT_ENCRYPTION_KEYS = named("2026", "2027")
    before = sealed(an_event())
    settings.EVENT_ENCRYPTION_KEYS = named("2027", "2026")
    after = sealed(an_event())
    assert (before["keyid"], after["keyid"]) == ("2026", "2027")
    assert decrypt(before)["data"] == decrypt(after)["data"] == {"score": 7}


def test_without_a_key_it_is_sent_as_it_is(settings: Settings) -> None:
    settings.EVENT_ENCRYPTION_KEYS = []
    assert sealed(an_event()) == an_event()


@pytest.mark.parametrize("wrong", [["x"], ["x:"], [":eA=="], ["x:eA=="], ["x:nonsense!"], named("2026") * 2])
def test_keys_that_are_none_are_refused(settings: Settings, wrong: list[str]) -> None:
    settings.EVENT_ENCRYPTION_KEYS = wrong
    with pytest.raises(ValueError, match="EVENT_ENCRYPTION_KEYS"):
        keys()
