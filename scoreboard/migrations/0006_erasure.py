from pathlib import Path

from django.db import migrations, models
from django.db.models import Q

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("scoreboard", "0005_sign_up_addresses")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="erased_at",
            field=models.DateTimeField(editable=False, help_text="Since then nobody is behind this row.", null=True),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=Q(("erased_at", None), Q(("is_active", False), ("is_hidden", True)), _connector="OR"),
                name="users_erased_for_good",
                violation_error_message="This player was erased; there is nobody to bring back.",
            ),
        ),
        migrations.RunSQL(
            (SQL / "0006_erasure.sql").read_text(),
            """
            DROP TRIGGER users_erased_for_good ON users;
            DROP FUNCTION users_refuse_revival;
            DROP FUNCTION score_history_forget;
            DROP TRIGGER score_history_append_only_row ON score_history;
            DROP FUNCTION score_history_refuse_row;
            CREATE OR REPLACE FUNCTION score_history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'score_history is append-only: correct a score with a new entry'
                    USING ERRCODE = 'restrict_violation';
            END
            $$;
            """,
        ),
    ]
