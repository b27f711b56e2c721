"""``python -m config.prepare [demo]``: the schema, and the demo's users and scores if asked for.

One process for both: loading Django takes longer than either when there is nothing to do.
"""

import os
import sys

import django
from django.core.management import call_command


def main(demo: bool) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    if demo:
        call_command("load_demo")


if __name__ == "__main__":
    main("demo" in sys.argv[1:])
