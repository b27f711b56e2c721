from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
BEFORE = (SQL / "0002_triggers.sql").read_text()
# The one function of that file which this migration replaces.
FUNCTION = BEFORE[
    BEFORE.index("CREATE FUNCTION users_raise_version") : BEFORE.index("CREATE TRIGGER users_board_columns")
]


class Migration(migrations.Migration):
    dependencies = [("scoreboard", "0006_erasure")]

    operations = [
        migrations.RunSQL(
            (SQL / "0007_first_score.sql").read_text(),
            FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"),
        ),
    ]
