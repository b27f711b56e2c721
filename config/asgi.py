"""The whole site as ASGI, live side included: what `manage.py runserver` serves.

Elsewhere REST, pages and admin run as WSGI (`config.wsgi`) and `config.live` serves the live side alone.
"""

import os
from importlib import import_module

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

site = get_asgi_application()

checks = import_module("config.checks")  # after the set-up above: these import models
checks.enforce()
routing = import_module("leaderboard.live.routing")
application = routing.application(site)
