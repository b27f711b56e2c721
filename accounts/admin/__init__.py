"""The admin site of identity: who may enter, API keys, and who did what. Players are registered by the read side,
which adds the rank (leaderboard/admin.py)."""

from accounts.admin import keys, records, refusals, sign_in

__all__ = ["keys", "records", "refusals", "sign_in"]
