"""`manage.py runserver` serves the live side, too: by Daphne, which every other process does without. As an installed
app it would bring Twisted into each of them, a quarter of a second and 13 MB."""

from daphne.management.commands.runserver import Command

__all__ = ["Command"]
