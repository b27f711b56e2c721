from django.apps import AppConfig


class ScoreboardConfig(AppConfig):
    name = "scoreboard"
    verbose_name = "Scoreboard"

    def ready(self) -> None:
        from scoreboard import openapi  # noqa: F401  (registers)
