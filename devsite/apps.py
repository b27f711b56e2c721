"""What `make run` and `make test` need on a machine with nothing, and the demo's players."""

from django.apps import AppConfig


class DevsiteConfig(AppConfig):
    name = "devsite"
    verbose_name = "Development site"
