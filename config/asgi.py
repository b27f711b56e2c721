"""The whole site as one ASGI application: the live side, and the WSGI site inside it for everything else.

`config.server` serves it, and `manage.py runserver` (Daphne).
"""

from importlib import import_module

from config.wsgi import application as site  # sets Django up
from config.wsgi_adapter import WsgiAdapter

routing = import_module("leaderboard.live.routing")  # after the set-up above: it imports models
application = routing.application(WsgiAdapter(site))
