from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(
            (SQL / "users.sql").read_text(encoding="utf-8"), "DROP FUNCTION users_refuse_revival CASCADE"
        ),
        migrations.RunSQL(
            (SQL / "players.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION players_describe, players_described, players_make, player_name",
        ),
    ]
