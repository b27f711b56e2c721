"""The catalogue of what can be done for points, and what proves that it was done."""

from actions.models.catalogue import MAX_POINTS, ActionType, Grant
from actions.models.proofs import ActionToken, Award, QueuedWork

__all__ = ["MAX_POINTS", "ActionToken", "ActionType", "Award", "Grant", "QueuedWork"]
