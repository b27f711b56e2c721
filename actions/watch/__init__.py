"""Watching: patterns no honest player shows, looked for after commit, and flagged for a person to judge."""
