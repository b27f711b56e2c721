"""The admin site of the write side: players' scores, and what happened to them, which cannot be edited."""

from scoreboard.admin import boards, bonuses, records

__all__ = ["boards", "bonuses", "records"]
