"""What sites may say of their players: declared here. An edit counts within seconds (attributes.STALE_SECONDS)."""

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.records import ShownAdmin
from accounts.models import PlayerAttribute


@admin.register(PlayerAttribute)
class PlayerAttributeAdmin(ShownAdmin):
    list_display = ["name", "kind", "allowed", "private"]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: PlayerAttribute | None = None) -> list[str]:
        """Under another name it would be another attribute."""
        return ["name"] if obj else []
