"""Composition only: settings, servers, routes. No rule of the scoreboard lives here."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
