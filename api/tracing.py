"""Traces by OpenTelemetry, from the request of a click to the push: off unless OTEL_EXPORTER_OTLP_ENDPOINT is set.

Off, no library of it is loaded, `current` is "" and every span is the same block that does nothing. On, the SDK reads
its other settings (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, …) from the environment itself.

A place in a trace travels as a W3C traceparent: in a request's header, in a message to the worker, and in the message
of a board's group, which the write script sends.
"""

from collections.abc import MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from opentelemetry.trace import Link, Span, Tracer

TRACEPARENT = "traceparent"
LINKS = 32  # of one span: more would be cut off by the SDK's own limit

_tracer: "Tracer | None" = None
_end: Any = None
NOTHING: AbstractContextManager[Any] = nullcontext()


def start() -> None:
    """Called once by each server process. Without an endpoint it does nothing."""
    global _tracer, _end
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT or _tracer is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):  # the SDK's, for want of a name
        resource = resource.merge(Resource({SERVICE_NAME: "scoreboard"}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer, _end = provider.get_tracer("scoreboard"), provider.shutdown


def installed() -> bool:
    try:
        import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        import_module("opentelemetry.sdk.trace")
    except ImportError:
        return False
    return True


def is_on() -> bool:
    return _tracer is not None


def stop() -> None:
    """Sends what is left: for a process whose interpreter does not come to its own end."""
    if _end is not None:
        _end()


def span(
    name: str, *, parent: str = "", links: Sequence[str] = (), kind: str = "INTERNAL", **attributes: str | int
) -> AbstractContextManager["Span | None"]:
    """A block of a trace. `parent` and `links` are traceparents; without a parent it goes on with what runs here."""
    if _tracer is None:
        return NOTHING
    from opentelemetry.trace import SpanKind

    return _tracer.start_as_current_span(
        name,
        context=context_of(parent) if parent else None,
        kind=SpanKind[kind],
        links=[link for one in links[:LINKS] if (link := link_to(one))],
        attributes={name.replace("__", "."): value for name, value in attributes.items()},
    )


def joined(name: str, traces: Sequence[str], **attributes: str | int) -> AbstractContextManager["Span | None"]:
    """What several traces have led to: a block of the first one, linked to the others. Nothing without any."""
    if _tracer is None:
        return NOTHING
    known = [one for one in dict.fromkeys(traces) if one]
    return span(name, parent=known[0], links=known[1:], kind="INTERNAL", **attributes) if known else NOTHING


def current() -> str:
    """The traceparent of the block that runs here; "" without one."""
    if _tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(TRACEPARENT, "")


def link(other: str) -> None:
    """Links the block that runs here to another trace, unless it is its own."""
    if _tracer is None or not other:
        return
    from opentelemetry.trace import get_current_span

    here, there = get_current_span(), link_to(other)
    if there is not None and there.context.trace_id != here.get_span_context().trace_id:
        here.add_link(there.context)


def context_of(traceparent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent})


def link_to(traceparent: str) -> "Link | None":
    """None for a text that is no traceparent."""
    from opentelemetry.trace import Link, get_current_span

    context = get_current_span(context_of(traceparent)).get_span_context()
    return Link(context) if context.is_valid else None


def stamp(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of logs: `trace_id` and `span_id` of the block that runs here."""
    if _tracer is not None:
        from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

        context = get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = format_trace_id(context.trace_id)
            event["span_id"] = format_span_id(context.span_id)
    return event
