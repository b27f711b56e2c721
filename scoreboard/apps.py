from django.apps import AppConfig


class ScoreboardConfig(AppConfig):
    name = "scoreboard"
    verbose_name = "Scoreboard"

    def ready(self) -> None:
        from accounts import privacy, visibility
        from scoreboard import ledger, problems  # noqa: F401  (problems declares)
        from scoreboard.privacy import erase, export

        visibility.on_shown_changed(ledger.announce_players)
        privacy.register(export, erase)
