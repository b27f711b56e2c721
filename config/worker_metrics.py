"""A worker's own `/metrics` and health, on WORKER_METRICS_PORT: it serves no other HTTP, and no process shows it."""

import os
import socket
import sys
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from prometheus_client.exposition import ThreadingWSGIServer

from config.health import PROBES

READ_SECONDS = 5  # for a client that says nothing


class Handler(WSGIRequestHandler):
    timeout = READ_SECONDS

    def log_message(self, format: str, *arguments: Any) -> None:
        """Prometheus comes every few seconds."""


class Server(ThreadingWSGIServer):
    address_family = socket.AF_INET


class Server6(ThreadingWSGIServer):
    address_family = socket.AF_INET6


def start() -> None:
    """In a thread that ends with the process. Ends the process when the port cannot be had: Celery would go on."""
    if not settings.WORKER_METRICS_PORT:
        return
    host = os.environ.get("BIND") or "127.0.0.1"  # empty would be every address
    kind = Server6 if ":" in host else Server
    try:
        server = make_server(host, settings.WORKER_METRICS_PORT, application, kind, Handler)
    except OSError as error:
        sys.exit(f"WORKER_METRICS_PORT: cannot listen on {host} port {settings.WORKER_METRICS_PORT}: {error.strerror}.")
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    request = WSGIRequest(environ)
    view = PROBES.get(request.path_info)
    response = view(request) if view else HttpResponse("Here are /healthz, /readyz and /metrics.\n", status=404)
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [response.content]
