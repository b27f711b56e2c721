"""Watching what was scored: patterns no honest player shows, looked for after commit, flagged for a person to judge."""
