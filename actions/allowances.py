"""How many rewarded actions a player may start: charged when a token is minted, so that tokens cannot be hoarded."""

import uuid

import limits

from actions.models import ActionType
from api.throttles import Charge, charge, hit


def charge_mint(user_id: uuid.UUID, action_type: ActionType) -> None:
    """Charges the site's allowance and the type's own; raises Problem rate-limited.

    The tightest first: what is refused there must not use up the wider one.
    """
    who = (str(user_id), action_type.slug)
    charges = [site] if (site := charge("actions", *who)) else []
    if action_type.cooldown:
        once = limits.RateLimitItemPerSecond(1, action_type.cooldown)
        charges.append(Charge(f"cooldown-{action_type.slug}", once, who))
    if action_type.max_per_hour:
        hourly = limits.RateLimitItemPerHour(action_type.max_per_hour)
        charges.append(Charge(f"actions-{action_type.slug}", hourly, who))
    hit(*sorted(charges, key=lambda one: one.item.amount))
