from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from accounts import checks, identity_data, openapi, player_fields, privacy  # noqa: F401  (three register)
        from api import problems

        problems.declare({"player-disabled": (403, "The player is disabled")})

        privacy.register(identity_data.export, identity_data.erase)
