"""Who may look at a board."""

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class BoardIsPublicOrSignedIn(BasePermission):
    """Anyone while LEADERBOARD_PUBLIC, else signed-in users."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(settings.LEADERBOARD_PUBLIC or (request.user and request.user.is_authenticated))
