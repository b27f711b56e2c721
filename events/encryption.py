"""Payloads that only holders of a key can read: AES-256-GCM, bound to the envelope that they come in.

All attributes of the envelope but `data_base64` are authenticated with the data, as JSON with sorted keys and without
spaces: a payload that is put into another envelope, or whose envelope was changed, does not decrypt. The nonce is
random, so one key is good for 2^32 events. A consumer finds its key by the attribute `keyid`.
"""

import base64
import binascii
import json
import os
import re
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

KEY_BYTES, NONCE_BYTES = 32, 12
KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
CONTENT_TYPE = "application/octet-stream"


def keys() -> dict[str, bytes]:
    """EVENT_ENCRYPTION_KEYS by key id; the first encrypts. Raises ValueError, with a sentence that shows no key."""
    found: dict[str, bytes] = {}
    for position, item in enumerate(settings.EVENT_ENCRYPTION_KEYS, 1):
        kid, _, text = item.partition(":")
        if not KEY_ID.fullmatch(kid) or not text:
            raise ValueError(f"EVENT_ENCRYPTION_KEYS: item {position} is not a key id, a colon and a key in base64.")
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(f"EVENT_ENCRYPTION_KEYS: key {kid!r} is not {KEY_BYTES} bytes in base64.")
        if kid in found:
            raise ValueError(f"EVENT_ENCRYPTION_KEYS: key id {kid!r} is there twice.")
        found[kid] = key
    return found


def sealed(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its data encrypted by the first key; as it is when there is no key."""
    if not settings.EVENT_ENCRYPTION_KEYS:
        return event
    kid, key = next(iter(keys().items()))
    envelope = {name: value for name, value in event.items() if name != "data"}
    envelope |= {"datacontenttype": CONTENT_TYPE, "keyid": kid}
    nonce = os.urandom(NONCE_BYTES)
    text = json.dumps(event["data"], ensure_ascii=False).encode()
    encrypted = nonce + AESGCM(key).encrypt(nonce, text, associated(envelope))
    return {**envelope, "data_base64": base64.b64encode(encrypted).decode()}


def associated(envelope: dict[str, Any]) -> bytes:
    """What is authenticated beside the data."""
    attributes = {name: value for name, value in envelope.items() if name != "data_base64"}
    return json.dumps(attributes, sort_keys=True, separators=(",", ":")).encode()
