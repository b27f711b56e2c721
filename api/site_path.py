"""A site under a path of another one: SITE_PATH is taken off each request before anything looks at its path.

Django puts it before the addresses that it makes (FORCE_SCRIPT_NAME). A proxy passes paths on as they are, for some
cannot change them; one that takes SITE_PATH off, and a probe that never had it, are answered as well.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse, set_script_prefix

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def wsgi(application: Wsgi) -> Wsgi:
    if not (site := settings.SITE_PATH):
        return application

    def below(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if is_below(path, site):
            environ["PATH_INFO"] = path[len(site) :]
        return application(environ, start_response)

    return below


def asgi(application: Any) -> Any:
    """With the same attribute `top` (see `leaderboard.live.routing`)."""
    return Below(application, settings.SITE_PATH) if settings.SITE_PATH else application


class Below:
    def __init__(self, application: Any, site: str) -> None:
        self.application, self.site, self.top = application, site, application.top

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path, raw = scope.get("path", ""), scope.get("raw_path") or b""
        if is_below(path, self.site):
            scope = {**scope, "path": path[len(self.site) :] or "/"}
            if raw.startswith(self.site.encode()):
                scope["raw_path"] = raw[len(self.site) :] or b"/"
        await self.application(scope, receive, send)


def is_below(path: str, site: str) -> bool:
    """Not of /scoresheet when the site is /scores."""
    return path == site or path.startswith(f"{site}/")


def path_of(view: str) -> str:
    """The path of a page, SITE_PATH and all, for what no request asks for: Django's prefix comes with a request, and
    the threads of `worker` serve none."""
    set_script_prefix(f"{settings.SITE_PATH}/")
    return reverse(view)
