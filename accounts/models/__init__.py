"""Identity: users, their sign-ins and sessions, keys of back ends, refusals."""

from accounts.models.audit_log import AuditLog
from accounts.models.keys import PROVIDER, ApiKey, BannedPlayer, default_limit, validate_limit, validate_provider
from accounts.models.sign_ins import Session, SignIn, SignUpAddress
from accounts.models.user import LOCAL, SITE, AccountManager, NullCharField, SkeletonField, User

__all__ = [
    "LOCAL",
    "PROVIDER",
    "SITE",
    "AccountManager",
    "ApiKey",
    "AuditLog",
    "BannedPlayer",
    "NullCharField",
    "Session",
    "SignIn",
    "SignUpAddress",
    "SkeletonField",
    "User",
    "default_limit",
    "validate_limit",
    "validate_provider",
]
