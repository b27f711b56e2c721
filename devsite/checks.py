"""A database that an earlier version made is recognised before anything is changed in it."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from api.checks import POSTGRESQL, installation
from devsite.players import documented


def older_database() -> str | None:
    """The sentence for an operator whose database is from before the migrations were written anew, else None."""
    applied = {app for app, _ in MigrationRecorder(connection).applied_migrations()}
    if "scoreboard" not in applied or "accounts" in applied:
        return None
    return (
        f"The database {connection.settings_dict['NAME']} was made by an earlier version of the scoreboard and is left "
        "as it is; start with another SCOREBOARD_HOME or remove it."
    )


@register(Tags.database)
def made_by_this_version(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """`manage.py migrate` asks every check of the database first."""
    found = older_database() if databases else None
    return [Error(found, id="devsite.E001")] if found else []


@installation.register(POSTGRESQL)
def demo_accounts(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """With these passwords a reader of the README signs in as an admin."""
    if not (names := [user.username for user in documented.open_accounts()]):
        return []
    said = f"The demo's documented passwords open {', '.join(names)}."
    hint = "`manage.py prepare` (without --demo) switches these passwords off."
    return [Error(said, hint=hint, id="doctor.E050")]
