from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("scoreboard", "0001_initial")]

    operations = [
        migrations.RunSQL(
            (SQL / "0002_triggers.sql").read_text(),
            """
            DROP TRIGGER users_board_columns ON users;
            DROP FUNCTION users_raise_version;
            DROP TRIGGER score_history_append_only ON score_history;
            DROP FUNCTION score_history_refuse;
            """,
        ),
        migrations.RunSQL(
            (SQL / "0002_ledger.sql").read_text(),
            """
            DROP FUNCTION ledger_record;
            DROP TYPE ledger_outcome;
            DROP AGGREGATE ledger_carry(bigint, bigint, bigint);
            DROP FUNCTION ledger_carry_step;
            """,
        ),
    ]
