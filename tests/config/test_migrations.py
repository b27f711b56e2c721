"""No migration keeps the site of the version before it waiting, or breaks it: Squawk reads the SQL that each executes.

Its rules are on its site. What must be done all the same says `-- squawk-ignore <rule>` above the statement, and why.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader

from api.postgresql.suitable import OLDEST

pytestmark = pytest.mark.django_db(transaction=True)

OURS = ("accounts", "actions", "events", "integrity", "leaderboard", "scoreboard")
# Matters of taste; and the bounds of waiting, which `api.postgresql` sets for each session, that of `migrate` too.
NOT_ASKED = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-text-field",
    "prefer-robust-stmts",
    "require-lock-timeout",
    "require-statement-timeout",
)


def judged(folder: Path, name: str, sql: str, *, atomic: bool = True) -> str:
    """What is said against it; "" when it may pass. No transaction can hold a table that it makes itself."""
    (folder / f"{name}.sql").write_text(sql, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "squawk"), f"--pg-version={OLDEST}.0", "--reporter=gcc"]
    command += [f"--exclude={','.join(NOT_ASKED)}", *(["--assume-in-transaction"] if atomic else [])]
    done = subprocess.run([*command, f"{name}.sql"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert (done.returncode == 0) == (done.stdout.strip() == ""), "it says what it refuses"
    return done.stdout


def test_no_migration_locks_a_table_that_is_in_use(tmp_path: Path) -> None:
    loader = MigrationLoader(connection)
    ours = {key: migration for key, migration in loader.graph.nodes.items() if key[0] in OURS}
    assert len(ours) >= 9
    for (app, name), migration in ours.items():
        sql = "\n".join(loader.collect_sql([(migration, False)]))
        assert judged(tmp_path, f"{app}_{name}", sql, atomic=migration.atomic) == ""


REFUSED = {
    "an index made beside no writes": "CREATE INDEX h ON score_history (delta);",
    "a column that old processes do not fill": "ALTER TABLE users ADD COLUMN age bigint NOT NULL;",
    "a column that old processes read": "ALTER TABLE users DROP COLUMN avatar_url;",
    "a column by another name": "ALTER TABLE users RENAME COLUMN avatar_url TO picture;",
    "a table that is written anew": "ALTER TABLE score_history ALTER COLUMN delta TYPE numeric;",
    "a foreign key that is checked at once": (
        "ALTER TABLE score_history ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id);"
    ),
    "a check of every row": "ALTER TABLE users ADD CONSTRAINT c CHECK (username <> '');",
    "no null any more": "ALTER TABLE users ALTER COLUMN email SET NOT NULL;",
}


@pytest.mark.parametrize("why", REFUSED)
def test_one_that_would_is_refused(tmp_path: Path, why: str) -> None:
    assert "warning: " in judged(tmp_path, "planted", REFUSED[why])


def test_django_s_own_way_to_add_an_index_is_refused_too(tmp_path: Path) -> None:
    """As makemigrations writes it."""
    loader = MigrationLoader(connection)

    class Migration(migrations.Migration):
        dependencies = [("scoreboard", "0003_functions")]
        operations = [migrations.AddIndex("ScoreHistory", models.Index(fields=["delta"], name="h"))]

    planted = Migration("9999_planted", "scoreboard")
    loader.graph.add_node(("scoreboard", "9999_planted"), planted)
    loader.graph.add_dependency(planted, ("scoreboard", "9999_planted"), ("scoreboard", "0003_functions"))
    sql = "\n".join(loader.collect_sql([(planted, False)]))
    assert "require-concurrent-index-creation" in judged(tmp_path, "planted", sql)
