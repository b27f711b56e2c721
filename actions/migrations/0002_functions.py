from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("actions", "0001_initial"), ("scoreboard", "0003_functions")]

    operations = [
        migrations.RunSQL(
            (SQL / "storage.sql").read_text(encoding="utf-8"),
            "ALTER TABLE action_tokens RESET (fillfactor, autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)",
        ),
        migrations.RunSQL(
            (SQL / "types.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION action_type_works; DROP FUNCTION action_types_refuse CASCADE",
        ),
        migrations.RunSQL(
            (SQL / "mint.sql").read_text(encoding="utf-8"), "DROP FUNCTION action_mint; DROP TYPE mint_outcome;"
        ),
        migrations.RunSQL(
            (SQL / "redeem.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION action_redeem; DROP FUNCTION action_token_refusal; DROP TYPE redeem_outcome; DROP FUNCTION action_tokens_see;",
        ),
        migrations.RunSQL(
            (SQL / "awards.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION award_record, award_judge; DROP TYPE award_outcome, award_judgement;"
            " DROP TRIGGER awards_kept ON awards; DROP FUNCTION awards_refuse_removal CASCADE;",
        ),
    ]
