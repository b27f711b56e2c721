"""`web`: REST, pages and admin. Granian serves this with blocking threads; why, docs/architecture.md tells."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from api import site_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = site_path.wsgi(get_wsgi_application())

checks = import_module("config.checks")  # after the set-up above: it imports models
checks.enforce()
import_module("api.redis_memory").tell()
import_module("accounts.audit").start()
import_module("api.tracing").start()
if settings.ACTION_GROUP_COMMIT:
    import_module("actions.redemption").start_batcher()
    import_module("actions.awards").start_batcher()
