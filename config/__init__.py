"""Composition only: settings, servers, routes. No rule of the scoreboard lives here."""

import os

if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):  # there and empty: its library would write files into this folder
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

from config.celery import app as celery_app

__all__ = ["celery_app"]
