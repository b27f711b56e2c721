"""What a good token says, before the database is asked; and why a token is none."""

import uuid
from dataclasses import dataclass
from typing import Any, Protocol

from accounts.players import Reference
from api.problems import Problem

RETRY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Proof:
    """`until`: Unix seconds after which it must be proved again, the leeway between clocks included.

    A token made here names the user by our id, and what has to go on for it to be good: its sign-in, or the API key
    that asked for it. A site's own token names the user by the site's id.
    """

    until: float
    user_id: uuid.UUID | None = None
    sign_in: uuid.UUID | None = None
    api_key: uuid.UUID | None = None
    player: Reference | None = None


class BadToken(Exception):
    """The token is none of a provider's; the sentence is for its bearer."""

    def problem(self) -> Problem:
        return Problem("not-authenticated", str(self), reason="token")


class KeysOutOfReach(Exception):
    """The key that would tell whether the token is good cannot be had just now."""

    def problem(self) -> Problem:
        headers = {"Retry-After": str(RETRY_SECONDS)}
        return Problem("unavailable", str(self), headers=headers)


class Provider(Protocol):
    """An identity provider: a token in; the player it is about, or None if the token does not say it is of this one."""

    def read(self, raw: str, said: dict[str, Any], *, wait: bool) -> Proof | None:
        """`said`: the claims, not believed yet, to tell whose token it is. `wait`: whether the call may block.

        Raises BadToken; KeysOutOfReach, also when it would have to wait and may not.
        """
