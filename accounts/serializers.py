"""The bodies of the calls about accounts."""

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Value
from django.db.models.functions import Lower
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import User
from accounts.names import MAX_LENGTH, skeleton, validate_unreserved, validate_username
from api.fields import StrictSerializer, StrictText

MAX_PASSWORD = 128  # characters: hashing is slow on purpose, and slower the longer the text
MAX_MAILED = 1024  # characters of a token that was mailed


class StrictEmail(serializers.EmailField, StrictText):
    """A JSON string that is an e-mail address."""


@extend_schema_field({"type": "string", "format": "username", "minLength": 1, "maxLength": MAX_LENGTH})
class Username(StrictText):
    """A name that `validate_username` allows."""


@extend_schema_field({"type": "string", "format": "password", "minLength": 8, "maxLength": MAX_PASSWORD})
class NewPassword(StrictText):
    """A password that AUTH_PASSWORD_VALIDATORS allow."""


def allowed_password(password: str, user: User) -> str:
    """The password; raises ValidationError with what AUTH_PASSWORD_VALIDATORS say against it."""
    try:
        password_validation.validate_password(password, user)
    except DjangoValidationError as error:
        raise serializers.ValidationError(error.messages) from error
    return password


def refuse_taken(column: str, value: str) -> None:
    """Raises ValidationError if a user has it, in any capitals. The unique indexes have the last word."""
    filled = User.objects.exclude(email="") if column == "email" else User.objects.all()  # the index's own words
    if filled.alias(small=Lower(column)).filter(small=Lower(Value(value))).exists():
        raise serializers.ValidationError(TAKEN[column])


TAKEN = {
    "username": "Already in use.",
    "skeleton": "Already in use, or it looks like a name that is.",
    "email": "Already in use.",
}


class RegisterSerializer(StrictSerializer):
    """Each field is judged by itself, so that all that is wrong is told at once."""

    username = Username(
        max_length=MAX_LENGTH,
        validators=[validate_username, validate_unreserved],
        help_text="Any script and emoji, in normal form C; nothing invisible, no outer or double spaces.",
    )
    email = StrictEmail(max_length=254)
    password = NewPassword(max_length=MAX_PASSWORD, help_text="Not a common one, not all digits, not like the name.")

    def validate_username(self, username: str) -> str:
        refuse_taken("skeleton", skeleton(username))
        return username

    def validate_email(self, email: str) -> str:
        refuse_taken("email", email)
        return email

    def validate_password(self, password: str) -> str:
        said = {name: text for name in ("username", "email") if isinstance(text := self.initial_data.get(name), str)}
        return allowed_password(password, User(**said))


class SignInSerializer(StrictSerializer):
    username = StrictText(max_length=MAX_LENGTH)
    password = StrictText(max_length=MAX_PASSWORD)


class RefreshSerializer(StrictSerializer):
    refresh = StrictText(max_length=4096)


class VerifySerializer(StrictSerializer):
    token = StrictText(max_length=4096)


class PasswordChangeSerializer(StrictSerializer):
    old = StrictText(max_length=MAX_PASSWORD)
    new = NewPassword(max_length=MAX_PASSWORD)


class PasswordResetSerializer(StrictSerializer):
    email = StrictEmail(max_length=254)


class PasswordResetConfirmSerializer(StrictSerializer):
    token = StrictText(max_length=MAX_MAILED)
    new = NewPassword(max_length=MAX_PASSWORD)


class EmailConfirmSerializer(StrictSerializer):
    token = StrictText(max_length=MAX_MAILED)


class EraseSerializer(StrictSerializer):
    password = StrictText(max_length=MAX_PASSWORD)
