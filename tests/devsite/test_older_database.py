"""A database that an earlier version made is left as it is, and the operator is told."""

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from devsite import checks

pytestmark = pytest.mark.django_db


@pytest.fixture
def older() -> set[tuple[str, str]]:
    """As earlier versions left it: `scoreboard` had everything."""
    recorder = MigrationRecorder(connection)
    recorder.migration_qs.filter(app="accounts").delete()
    recorder.record_applied("scoreboard", "0001_initial")
    return set(recorder.applied_migrations())


@pytest.mark.parametrize("command", ["prepare", "migrate"])
def test_it_is_recognised_and_nothing_is_changed(older: set[tuple[str, str]], command: str) -> None:
    with pytest.raises((CommandError, SystemCheckError)) as refused:
        call_command(command, skip_checks=False)
    assert "was made by an earlier version of the scoreboard and is left as it is" in str(refused.value)
    assert "start with another SCOREBOARD_HOME or remove it." in str(refused.value)
    assert set(MigrationRecorder(connection).applied_migrations()) == older


def test_a_database_of_this_version_is_not_taken_for_one() -> None:
    assert checks.older_database() is None


def test_an_empty_database_is_not_taken_for_one() -> None:
    MigrationRecorder(connection).migration_qs.all().delete()
    assert checks.older_database() is None
