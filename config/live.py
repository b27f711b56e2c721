"""`python -m config.live [--host HOST --port PORT | --uds PATH]`: the live server, one process.

More processes: start it more often, behind nginx; they share nothing.
"""

import argparse
import os
import resource
from contextlib import suppress
from importlib import import_module

import django

OPEN_FILES = 65_536  # one for each viewer


def allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.live")
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--uds", help="listen on this Unix socket instead")
    arguments = parser.parse_args()
    allow_open_files()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    # After the set-up: these import models.
    import_module("config.checks").enforce()
    serve = import_module("config.live_server").serve
    with suppress(KeyboardInterrupt):  # uvicorn raises it again once everything has ended in order
        serve(host=arguments.host, port=arguments.port, uds=arguments.uds)


if __name__ == "__main__":
    main()
