"""Structured logs: one JSON object a line (or coloured text with LOG_FORMAT=console), request ids bound."""

import logging
import logging.config
import sys
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from api import tracing
from api.redaction import redacted

# Without the frames' local variables, which structlog would add: they hold tokens, passwords and keys.
TRACEBACKS = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))


def shown(logger: Any, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """A processor: texts whose control characters do nothing to the terminal. JSON escapes them by itself."""
    return {name: escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def escaped(text: str) -> str:
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG. `options`: `level` a logging level's name, `format` json or console, `traces`
    whether lines carry the trace's id."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        *([tracing.stamp] if options.get("traces") else []),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.types.Processor] = (
        [
            shown,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
            redacted,
        ]
        if options["format"] == "console"
        else [TRACEBACKS, redacted, structlog.processors.JSONRenderer()]
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
                },
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                # Django repeats at warning level what the request line already says.
                "django.request": {"level": "ERROR"},
                "django.server": {"level": "WARNING"},
                # A Host header that is not ours: the request line has its 400; with a traceback for each a
                # client could fill the disk.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                # The same for a form of a thousand fields or files.
                "django.security.TooManyFieldsSent": {"level": "CRITICAL"},
                "django.security.TooManyFilesSent": {"level": "CRITICAL"},
                "django.security.RequestDataTooBig": {"level": "CRITICAL"},
                "asyncio": {"level": "WARNING"},
                # A traceback every second while Redis is away; the live side says so itself, once.
                "channels_redis": {"level": "CRITICAL"},
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
