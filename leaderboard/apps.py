from django.apps import AppConfig


class LeaderboardConfig(AppConfig):
    name = "leaderboard"
    verbose_name = "Leaderboard"

    def ready(self) -> None:
        from accounts import privacy
        from leaderboard import metrics, notifications  # noqa: F401  (metrics registers)
        from leaderboard.privacy import erase, export
        from leaderboard.projection import project
        from scoreboard import closing, ledger

        ledger.set_projector(project)
        closing.set_teller(notifications.placed)
        privacy.register(export, erase)
