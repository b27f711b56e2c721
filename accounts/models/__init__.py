"""Identity: users and their attributes, their sign-ins and sessions, keys of back ends, refusals."""

from accounts.models.attributes import MAX_TEXT, REGION, PlayerAttribute, Value
from accounts.models.audit_log import AuditLog
from accounts.models.keys import PROVIDER, ApiKey, BannedPlayer, default_limit, validate_limit, validate_provider
from accounts.models.sign_ins import Session, SignIn, SignUpAddress
from accounts.models.user import BACK_END, LOCAL, SITE, AccountManager, NullCharField, SkeletonField, User

__all__ = [
    "BACK_END",
    "LOCAL",
    "MAX_TEXT",
    "PROVIDER",
    "REGION",
    "SITE",
    "AccountManager",
    "ApiKey",
    "AuditLog",
    "BannedPlayer",
    "NullCharField",
    "PlayerAttribute",
    "Session",
    "SignIn",
    "SignUpAddress",
    "SkeletonField",
    "User",
    "Value",
    "default_limit",
    "validate_limit",
    "validate_provider",
]
