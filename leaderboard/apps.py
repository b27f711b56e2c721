from django.apps import AppConfig


class LeaderboardConfig(AppConfig):
    name = "leaderboard"
    verbose_name = "Leaderboard"

    def ready(self) -> None:
        from accounts import privacy
        from leaderboard import metrics  # noqa: F401  (registers)
        from leaderboard.privacy import erase, export
        from leaderboard.projection import project
        from scoreboard import ledger

        ledger.set_projector(project)
        privacy.register(export, erase)
