"""What a page shows of boards."""

import re

from django.template import Context, Template
from django.test import Client, RequestFactory

LINK = re.compile(r'<a (?:rel="\w+" )?href="(\?[^"]+)"([^>]*)>(.*?)</a>')


def page_at(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def links(page: str) -> dict[str, str]:
    """Where the page's links of boards and periods lead, by their words."""
    return {re.sub("<[^>]+>", "", words): href.replace("&amp;", "&") for href, _, words in LINK.findall(page)}


def chosen(page: str) -> list[str]:
    return [words for _, attributes, words in LINK.findall(page) if "aria-current" in attributes]


def rows(page: str) -> list[str]:
    return re.findall(r'<bdi title="([^"]+)">', page)


def rendered(tag: str) -> str:
    """What a site's own template has where the tag stands."""
    template = Template("{% load live_leaderboard %}" + tag)
    return template.render(Context({"request": RequestFactory().get("/")}))
