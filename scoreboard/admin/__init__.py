"""The admin site of the write side: players' scores, and what happened to them, which nobody edits."""

from scoreboard.admin import records

__all__ = ["records"]
