"""The request id: one value that ties a response, its log lines, its rows and its work in the queue together."""

import os
import re

import structlog

# What a proxy or client may hand in: enough for UUIDs and trace ids, nothing that could forge a log line.
REQUEST_ID = "request_id"  # its name in log lines, and in the headers of a message to the worker
SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def accept_or_make(value: str | None) -> str:
    """`value` if it is a sane id, else a fresh one."""
    if value and SANE.fullmatch(value):
        return value
    return os.urandom(16).hex()  # a fifth of what a UUID costs


def current_request_id() -> str:
    """The id of the request this thread or task is serving; "" outside one."""
    return str(structlog.contextvars.get_contextvars().get(REQUEST_ID, ""))
