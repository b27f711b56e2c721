"""The admin site of identity: who may enter, API keys, players' attributes, and who did what. Players are registered by
the read side, which adds the rank (leaderboard/admin.py)."""

from accounts.admin import attributes, keys, log_entries, refusals, sign_in

__all__ = ["attributes", "keys", "log_entries", "refusals", "sign_in"]
