from django.apps import AppConfig


class ActionsConfig(AppConfig):
    name = "actions"
    verbose_name = "Actions"

    def ready(self) -> None:
        from accounts.privacy import register
        from actions import problems  # noqa: F401  (declares)
        from actions.privacy import erase, export

        register(export, erase)
