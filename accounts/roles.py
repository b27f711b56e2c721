"""What each role may do, beside what a superuser grants to single users and groups.

Permissions are named as text: those of other apps are known here by name only.
"""

from typing import Any

from django.contrib.auth.backends import BaseBackend

from accounts.models import User

MODERATOR = frozenset({"scoreboard.give_bonus", "scoreboard.view_any_history", "scoreboard.view_board"})
ADMIN = MODERATOR | {
    "scoreboard.adjust_score",
    "accounts.hide_user",
    "accounts.view_user",
    "accounts.change_user",
    "scoreboard.view_userscore",
    "scoreboard.view_scorehistory",
    "scoreboard.view_bonus",
    "scoreboard.add_board",
    "scoreboard.change_board",
    "scoreboard.delete_board",
    "scoreboard.view_boardperiod",
    "actions.view_actiontype",
    "actions.add_actiontype",
    "actions.change_actiontype",
    "actions.view_actiontoken",
    "actions.view_queuedwork",
    "integrity.view_flag",
    "integrity.decide_flag",
    "integrity.ban_player",
    "actions.change_queuedwork",
    "events.view_endpoint",
    "events.view_delivery",
    "events.change_delivery",
    "admin.view_logentry",
    "accounts.view_auditlog",
    "overview.view_notice",
}
PERMISSIONS: dict[str, frozenset[str]] = {
    User.Role.PLAYER: frozenset(),
    User.Role.MODERATOR: MODERATOR,
    User.Role.ADMIN: ADMIN,
}


class RoleBackend(BaseBackend):
    """Grants the permissions of the user's role; signs no user in. A disabled user has none."""

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if obj is not None or not isinstance(user_obj, User) or not user_obj.is_active:
            return set()
        return set(PERMISSIONS.get(user_obj.role, frozenset()))

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Whether the admin index lists this app."""
        return any(name.startswith(f"{app_label}.") for name in self.get_user_permissions(user_obj))


def may_enter(user: Any) -> bool:
    """Who may enter the admin site: admins and moderators. Each sees there what the permissions allow."""
    return isinstance(user, User) and user.is_active and (user.is_staff or user.role == User.Role.MODERATOR)
