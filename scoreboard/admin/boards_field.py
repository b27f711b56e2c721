"""The choice of the boards that a bonus or an adjustment names."""

from typing import Any

from django import forms
from rest_framework.exceptions import ValidationError

from scoreboard import named_boards
from scoreboard.models import ScoreHistory


class BoardsField(forms.MultipleChoiceField):
    """→ the id of each by its slug; None when none is ticked. For staff, who may know of every board."""

    def __init__(self, source: ScoreHistory.Source) -> None:
        self.source = source
        super().__init__(
            required=False,
            choices=lambda: [(rule.slug, rule.title) for rule in named_boards.eligible(source)],
            widget=forms.CheckboxSelectMultiple,
            label="Only on these boards",
            help_text="In the period that is open, and in the total. None ticked: on the boards of all time.",
        )

    def validate(self, value: Any) -> None:
        if len(value) > named_boards.MOST:
            raise forms.ValidationError(f"At most {named_boards.MOST} boards.")

    def clean(self, value: Any) -> dict[str, int] | None:
        slugs = super().clean(value)
        try:
            return named_boards.ids(slugs, self.source, hidden=True) or None
        except ValidationError as error:
            raise forms.ValidationError([str(said) for said in error.detail["boards"]]) from error  # type: ignore[call-overload]
