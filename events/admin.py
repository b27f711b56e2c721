"""Webhooks: made and rotated here, their secrets shown once; what was delivered to each, to replay or skip. Made by
superusers only: the one who makes it has every score sent to an address of their choice."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin.records import ReadOnlyAdmin, ShownAdmin, actor
from accounts.admin.shown_once import shown_once
from events import webhooks
from events.models import Delivery, Endpoint

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Endpoint]
else:
    ModelForm = forms.ModelForm


class EndpointForm(ModelForm):
    types = forms.MultipleChoiceField(choices=Endpoint.Type.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = Endpoint
        fields = ("name", "url", "types", "batch")


@admin.register(Endpoint)
class EndpointAdmin(ShownAdmin):
    form = EndpointForm
    list_display = ["name", "url", "types", "batch", "state", "last_delivery", "created_by", "created_at"]
    list_select_related = ["created_by"]
    actions = ["rotate", "disable", "enable", "enable_from_now", "send_notice"]

    def state(self, endpoint: Endpoint) -> str:
        if endpoint.disabled_at:
            return f"disabled {endpoint.disabled_at:%Y-%m-%d %H:%M}: {endpoint.disabled_because}"
        failing = endpoint.deliveries.filter(state=Delivery.State.WAITING, attempts__gt=0).order_by("id").first()
        if failing is None:
            return "works"
        return f"fails: {failing.error or f'status {failing.status}'}; again {failing.next_attempt_at:%Y-%m-%d %H:%M}"

    @admin.display(empty_value="none")
    def last_delivery(self, endpoint: Endpoint) -> str | None:
        last = endpoint.deliveries.filter(state=Delivery.State.DELIVERED).order_by("-id").first()
        return f"{last.attempted_at:%Y-%m-%d %H:%M:%S}" if last and last.attempted_at else None

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        if change:
            return super().save_model(request, obj, form, change)
        made = webhooks.create(obj.name, obj.url, obj.types, batch=obj.batch, created_by=actor(request))
        obj.pk, obj.secret = made.pk, made.secret
        return None

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """Its log goes with it, though no line of the log can be deleted by itself."""
        listed, counts, _, protected = super().get_deleted_objects(objs, request)
        return listed, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        webhooks.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset:
            webhooks.delete(endpoint)

    def response_add(self, request: HttpRequest, obj: Endpoint, post_url_continue: str | None = None) -> HttpResponse:
        return self.issued(request, obj, obj.secret)

    @admin.action(description="Rotate the secret: the old one signs, too, for another day", permissions=["change"])
    def rotate(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> HttpResponse | None:
        try:
            [endpoint] = selected[:2]
        except ValueError:
            messages.error(request, "Select one webhook.")
            return None
        self.log_change(request, endpoint, "Secret rotated.")
        return self.issued(request, endpoint, webhooks.rotate(endpoint))

    @admin.action(description="Disable selected webhooks", permissions=["change"])
    def disable(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> None:
        for endpoint in selected.filter(disabled_at=None):
            webhooks.disable(endpoint, "in admin")  # the admin log has who, and forgets it
            self.log_change(request, endpoint, "Disabled.")

    @admin.action(description="Enable: send what was missed, too", permissions=["change"])
    def enable(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> None:
        self.switch_on(request, selected, skip=False)

    @admin.action(description="Enable: send only what happens from now on", permissions=["change"])
    def enable_from_now(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> None:
        self.switch_on(request, selected, skip=True)

    def switch_on(self, request: HttpRequest, selected: QuerySet[Endpoint], *, skip: bool) -> None:
        for endpoint in selected.exclude(disabled_at=None):
            webhooks.enable(endpoint, skip=skip)
            self.log_change(request, endpoint, "Enabled, from now on." if skip else "Enabled, with what was missed.")

    @admin.action(description="Send a scoreboard.notice, to try it", permissions=["change"])
    def send_notice(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> None:
        for endpoint in selected.filter(disabled_at=None):
            webhooks.try_out(endpoint)
            self.log_change(request, endpoint, "Tried out.")
        messages.success(request, "Under way; the list of deliveries says what becomes of it.")

    def issued(self, request: HttpRequest, endpoint: Endpoint, secret: str) -> HttpResponse:
        return shown_once(self, request, "The secret", endpoint.name, secret)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "endpoint", "what", "state", "attempts", "answer", "attempted_at", "next_attempt"]
    list_filter = ["state", "endpoint", "type"]
    list_select_related = ["endpoint"]
    ordering = ["-id"]
    actions = ["replay", "skip"]

    def what(self, delivery: Delivery) -> str:
        entries = f" (history {delivery.entries[0]} to {delivery.entries[-1]})" if delivery.entries else ""
        return f"{delivery.type} ({delivery.events}){entries}{', replayed' if delivery.replay else ''}"

    @admin.display(empty_value="")
    def answer(self, delivery: Delivery) -> str | None:
        return delivery.error or (f"{delivery.status} in {delivery.milliseconds} ms" if delivery.status else None)

    @admin.display(empty_value="")
    def next_attempt(self, delivery: Delivery) -> str | None:
        waiting = delivery.state == Delivery.State.WAITING and delivery.endpoint.disabled_at is None
        return f"{delivery.next_attempt_at:%Y-%m-%d %H:%M:%S}" if waiting else None

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.change_delivery")

    @admin.action(description="Send the same events once more", permissions=["replay"])
    def replay(self, request: HttpRequest, selected: QuerySet[Delivery]) -> None:
        over = list(selected.exclude(state=Delivery.State.WAITING))
        for delivery in over:
            webhooks.replay(delivery)
            self.log_change(request, delivery, "Sent once more.")
        messages.success(request, f"{len(over)} are sent once more.")

    @admin.action(description="Skip what fails, so that what is behind it goes on", permissions=["replay"])
    def skip(self, request: HttpRequest, selected: QuerySet[Delivery]) -> None:
        skipped = [delivery for delivery in selected if webhooks.skip(delivery)]
        for delivery in skipped:
            self.log_change(request, delivery, "Skipped.")
        messages.success(request, f"{len(skipped)} are skipped.")
