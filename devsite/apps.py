"""The development site as a Django app, so that its commands and its check are found."""

from django.apps import AppConfig


class DevsiteConfig(AppConfig):
    name = "devsite"
    verbose_name = "Development site"

    def ready(self) -> None:
        from devsite import checks  # noqa: F401  (registers)
