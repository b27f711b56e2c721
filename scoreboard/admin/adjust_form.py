"""What is asked of an admin who adjusts scores."""

import uuid
from typing import Any

from django import forms

from scoreboard.adjustments import MAX_PLAYERS, MAX_REASON, Change
from scoreboard.admin.boards_field import BoardsField
from scoreboard.models import MAX_TOTAL, ScoreHistory


class UserIds(forms.Field):
    """Comma-separated user ids."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> list[uuid.UUID]:
        try:
            ids = [uuid.UUID(text) for text in str(value or "").split(",")]
        except ValueError as error:
            raise forms.ValidationError("A list of player ids was expected.") from error
        if len(ids) > MAX_PLAYERS:
            raise forms.ValidationError(f"At most {MAX_PLAYERS} players at once; {len(ids)} were selected.")
        return ids


class AdjustForm(forms.Form):
    ids = UserIds()
    delta = forms.IntegerField(
        label="Change by",
        required=False,
        min_value=-MAX_TOTAL,
        max_value=MAX_TOTAL,
        help_text="Points to add; negative to take away. Applied to the total at the moment you confirm.",
    )
    target = forms.IntegerField(
        label="Or new total",
        required=False,
        min_value=0,
        max_value=MAX_TOTAL,
        help_text="Refused if the player's total changes before you confirm.",
    )
    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="The player can read it in the score history.",
    )

    boards = BoardsField(ScoreHistory.Source.ADJUSTMENT)

    def clean(self) -> dict[str, Any]:
        delta, target = self.cleaned_data.get("delta"), self.cleaned_data.get("target")
        if not {"delta", "target"} & set(self.errors) and (delta is None) == (target is None):
            self.add_error(None, "Fill in either “Change by” or “New total”, not both and not neither.")
        if delta == 0:
            self.add_error("delta", "A change by 0 changes nothing.")
        return self.cleaned_data

    @property
    def change(self) -> Change:
        said = self.cleaned_data
        return Change(said["reason"], said["delta"], said["target"], said["boards"])
