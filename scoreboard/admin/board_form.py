"""What is asked of an organiser who makes a board."""

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms

from accounts.models import REGION, PlayerAttribute
from scoreboard import board_checks
from scoreboard.models import Board
from scoreboard.models.boards import SOURCES

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Board]
else:
    ModelForm = forms.ModelForm


class TiersField(forms.CharField):
    """A tier a line, as people write it: "gold: 3", "silver: 20%". Whether they are sound is judged by the model."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return "\n".join(
            f"{t['name']}: {t['ranks']}" if "ranks" in t else f"{t['name']}: {t['percent']}%" for t in value
        )

    def to_python(self, value: Any) -> Any:
        return [tier(line) for line in (super().to_python(value) or "").splitlines() if line.strip()]


def tier(line: str) -> dict[str, Any]:
    name, _, width = line.rpartition(":")
    number = width.strip().removesuffix("%").strip()
    if not (number.isascii() and number.isdigit() and len(number) <= 7):
        raise forms.ValidationError(f"{line.strip()[:50]!r} is no tier; write one like gold: 3, or silver: 20%.")
    return {"name": name.strip(), "percent" if width.strip().endswith("%") else "ranks": int(number)}


class BoardForm(ModelForm):
    zone = forms.ChoiceField(initial="UTC", help_text="In which its days begin.")
    action_types = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, help_text="Points of these count; none ticked: of all."
    )
    sources = forms.MultipleChoiceField(
        required=False,
        choices=[(source, source) for source in SOURCES],
        widget=forms.CheckboxSelectMultiple,
        help_text="How they were given; none ticked: all. Bonuses and adjustments count on boards of all time alone.",
    )
    tiers = TiersField(
        required=False,
        help_text="Names of the best ranks, the best first, one a line. gold: 3 is the first three, silver: 20% the "
        "best fifth of its players.",
    )
    attribute = forms.ChoiceField(required=False, help_text="A player attribute that decides who is on it.")

    class Meta:
        model = Board
        fields = "__all__"
        widgets = {name: forms.Textarea(attrs={"rows": 2, "cols": 60}) for name in ("description", "close")}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        mine = self.instance
        choices: dict[str, list[tuple[str, str]]] = {
            "zone": [(zone, zone) for zone in sorted(available_timezones() | {mine.zone})],
            "action_types": [(name, name) for name in sorted({*board_checks.catalogue(), *mine.action_types})],
            "attribute": [("", "everyone"), *((name, name) for name in attributes(mine.attribute))],
        }
        for name, offered in choices.items():
            if name in self.fields:  # not for those who may only look
                self.fields[name].choices = offered  # type: ignore[attr-defined]

    def clean_close(self) -> Any:
        """Emptied, it is an empty list."""
        return self.cleaned_data["close"] or []


def attributes(before: str) -> list[str]:
    """Those that may be chosen; `before`: what was, which may be declared no more."""
    return sorted({REGION, *PlayerAttribute.objects.values_list("pk", flat=True), *filter(None, [before])})
