from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("integrity", "0001_initial"), ("actions", "0001_initial")]

    operations = [
        migrations.RunSQL((SQL / "events.sql").read_text(encoding="utf-8"), "DROP FUNCTION watch_events"),
    ]
