"""Who may look at a board."""

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.authentication import BackEnd
from accounts.back_ends import demand
from accounts.models import ApiKey


class BoardIsPublicOrSignedIn(BasePermission):
    """Anyone while LEADERBOARD_PUBLIC, else signed-in users, and keys with the scope `read`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not settings.LEADERBOARD_PUBLIC and isinstance(request.user, BackEnd):
            demand(request.user.key, ApiKey.Scope.READ)
        return bool(settings.LEADERBOARD_PUBLIC or (request.user and request.user.is_authenticated))
