"""The admin site of the write side: people, adjustments, and what happened, which nobody edits."""

from scoreboard.admin import keys, records, sign_in, users

__all__ = ["keys", "records", "sign_in", "users"]
