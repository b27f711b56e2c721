"""The whole site as one ASGI application: the live side, and the WSGI site inside it for everything else.

`config.server` serves it, and `manage.py runserver` (Daphne).
"""

from importlib import import_module

from api import site_path
from api.wsgi_adapter import WsgiAdapter
from config.wsgi import application as site  # sets Django up

routing = import_module("leaderboard.live.routing")  # after the set-up above: it imports models
application = site_path.asgi(routing.application(WsgiAdapter(site)))
