"""`POST /score/batch`: up to a hundred submissions, each judged alone, all recorded by one statement."""

from typing import Any

from rest_framework.exceptions import ValidationError

from actions.serializers import SubmissionSerializer
from actions.submission import Submission
from api.problems import Problem, as_problem

MAX_ACTIONS = 100


def parse(body: Any) -> list[Submission]:
    """The submissions of a request body; those that are malformed are refused already.

    Raises ValidationError when the envelope is wrong.
    """
    if not isinstance(body, dict) or set(body) != {"actions"}:
        raise ValidationError({"actions": ["Send an object with the one field `actions`."]})
    actions = body["actions"]
    if not isinstance(actions, list) or not 1 <= len(actions) <= MAX_ACTIONS:
        raise ValidationError({"actions": [f"Send a list of 1 to {MAX_ACTIONS} actions."]})
    return [parse_one(action) for action in actions]


def parse_one(action: Any) -> Submission:
    """Named as it named itself, as far as that is text: a client can then match the result of a malformed one."""
    name = action.get("action_id") if isinstance(action, dict) else None
    name = name[:36] if isinstance(name, str) else None
    filled = SubmissionSerializer(data=action)
    if filled.is_valid():
        return Submission(**filled.validated_data, name=name)
    return Submission(name=name, refusal=ValidationError(filled.errors))


def result(one: Submission) -> dict[str, Any]:
    """One item of `results`: the HTTP status the action would have had alone, and what would have come with it."""
    if one.refusal is None:
        return {"status": 200, **one.answer}
    return {"action_id": one.name, **refused(one.refusal)}


def refused(refusal: Problem | ValidationError | None) -> dict[str, Any]:
    """The members of an item that was refused."""
    problem = problem_of(refusal)
    members = problem.document()
    del members["request_id"]  # the results have it in common
    return members


def problem_of(refusal: Problem | ValidationError | None) -> Problem:
    problem = as_problem(refusal) if refusal else None
    if problem is None:
        raise AssertionError("every refusal is a problem")
    return problem
