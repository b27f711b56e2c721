"""The one page that ever shows a key or a secret."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse


def shown_once(admin: "ModelAdmin[Any]", request: HttpRequest, what: str, owner: str, text: str) -> HttpResponse:
    """`text`, the new `what` ("The key") of `owner`. No redirect: it must not wait in a cookie or a session."""
    context = {**admin.admin_site.each_context(request), "opts": admin.opts, "title": "Copy it now"}
    context |= {"what": what, "owner": owner, "text": text}
    return TemplateResponse(request, "admin/accounts/shown_once.html", context)
