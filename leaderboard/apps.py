from django.apps import AppConfig


class LeaderboardConfig(AppConfig):
    name = "leaderboard"
    verbose_name = "Leaderboard"

    def ready(self) -> None:
        from accounts import privacy
        from leaderboard.privacy import erase, export
        from leaderboard.receivers import project_standings
        from scoreboard.signals import standing_changed

        standing_changed.connect(project_standings, dispatch_uid="leaderboard.projection")
        privacy.register(export, erase)
