"""`POST /score/batch`: up to a hundred submissions, each judged alone, all recorded by one statement."""

import uuid
from collections.abc import Sequence
from typing import Any, TypeVar

from rest_framework.exceptions import ValidationError

from actions.admission import Refusal, Submission
from actions.outcomes import Redeemed
from actions.redemption import Result
from actions.serializers import SubmissionSerializer
from api.problems import Problem, as_problem, document

MAX_ACTIONS = 100

T = TypeVar("T")


def parse(body: Any) -> list[Submission | ValidationError]:
    """The submissions of a request body, each parsed alone; raises ValidationError when the envelope is wrong."""
    if not isinstance(body, dict) or set(body) != {"actions"}:
        raise ValidationError({"actions": ["Send an object with the one field `actions`."]})
    actions = body["actions"]
    if not isinstance(actions, list) or not 1 <= len(actions) <= MAX_ACTIONS:
        raise ValidationError({"actions": [f"Send a list of 1 to {MAX_ACTIONS} actions."]})
    return [parse_one(action) for action in actions]


def parse_one(action: Any) -> Submission | ValidationError:
    """One submission, or why it is none."""
    filled = SubmissionSerializer(data=action)
    if filled.is_valid():
        return Submission(**filled.validated_data)
    return ValidationError(filled.errors)


def merge(parsed: Sequence[Submission | ValidationError], judged: Sequence[T]) -> list[T | ValidationError]:
    """Puts the results of the well-formed submissions back among the malformed ones, in the order of the request."""
    following = iter(judged)
    return [one if isinstance(one, ValidationError) else next(following) for one in parsed]


def result_data(action_id: uuid.UUID | str | None, result: Result) -> dict[str, Any]:
    """One item of `results`: the HTTP status the action would have had alone, and what would have come with it."""
    if isinstance(result, Redeemed):
        return {
            "action_id": str(result.action_id),
            "status": 200,
            "new_score": result.new_score,
            "rank": result.rank,
            "score_delta": result.score_delta,
        }
    return {"action_id": None if action_id is None else str(action_id), **problem_data(result)}


def problem_data(refusal: Refusal) -> dict[str, Any]:
    """A problem document without the request's id, which the batch has in common."""
    problem = as_problem(refusal)
    if not isinstance(problem, Problem):
        raise AssertionError("every refusal is a problem")
    members = document(problem.kind, problem.sentence, status=problem.status_code, extra=problem.extra)
    del members["request_id"]
    return members


def action_ids(body: Any) -> list[str | None]:
    """What each action called itself, as far as it is text, so that a client can match results of malformed ones."""
    names = [action.get("action_id") if isinstance(action, dict) else None for action in body["actions"]]
    return [name[:36] if isinstance(name, str) else None for name in names]
