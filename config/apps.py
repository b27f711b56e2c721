"""The composition root as a Django app, so that its system checks are registered."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        from config import (  # noqa: F401  (they register)
            checks,
            front_door,
            installation_checks,
            metrics,
            server_checks,
        )
