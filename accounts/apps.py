from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from accounts import identity_data, openapi, privacy  # noqa: F401  (openapi registers)

        privacy.register(identity_data.export, identity_data.erase)
