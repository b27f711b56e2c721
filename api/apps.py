from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "api"

    def ready(self) -> None:
        from api import converters, openapi_rules  # noqa: F401  (register)
