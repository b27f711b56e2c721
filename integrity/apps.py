from django.apps import AppConfig


class IntegrityConfig(AppConfig):
    name = "integrity"
    verbose_name = "Integrity"

    def ready(self) -> None:
        from accounts.privacy import register
        from integrity import checks  # noqa: F401  (registers)
        from integrity.privacy import erase, export

        register(export, erase)
