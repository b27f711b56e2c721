"""Pages for staff beside those of the admin site, below /admin/."""

from django.contrib import admin
from django.urls import path

from overview import players

urlpatterns = [
    path("players/", admin.site.admin_view(players.find), name="staff-players"),
    path("players/<id:user_id>/", admin.site.admin_view(players.player), name="staff-player"),
]
