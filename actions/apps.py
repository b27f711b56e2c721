from django.apps import AppConfig


class ActionsConfig(AppConfig):
    name = "actions"
    verbose_name = "Actions"

    def ready(self) -> None:
        from accounts.privacy import register
        from actions import checks, metrics, problems  # noqa: F401  (they register and declare)
        from actions.models import ActionType
        from actions.privacy import erase, export
        from scoreboard import board_checks

        board_checks.set_catalogue(lambda: ActionType.objects.values_list("pk", flat=True))
        register(export, erase)
