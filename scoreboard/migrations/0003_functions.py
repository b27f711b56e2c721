from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("scoreboard", "0002_boards"), ("admin", "0003_logentry_add_action_flag_choices")]

    operations = [
        migrations.RunSQL(
            (SQL / "storage.sql").read_text(encoding="utf-8"),
            "ALTER TABLE user_scores RESET (fillfactor, autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor,"
            " autovacuum_analyze_threshold, autovacuum_analyze_scale_factor);"
            "ALTER TABLE standings RESET (fillfactor, autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor,"
            " autovacuum_analyze_threshold, autovacuum_analyze_scale_factor)",
        ),
        migrations.RunSQL(
            (SQL / "history.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION score_history_refuse, score_history_refuse_row, score_history_forget CASCADE",
        ),
        migrations.RunSQL((SQL / "kept.sql").read_text(encoding="utf-8"), "DROP FUNCTION refuse_removal CASCADE"),
        migrations.RunSQL(
            (SQL / "boards.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION day_begins, board_window, player_groups, board_counts, boards_changed, board_freezes, board_open,"
            " board_open_parts, scoring_transactions, board_lock_periods, board_close_ended, board_rule, board_applied,"
            " attribute_history_add CASCADE",
        ),
        migrations.RunSQL(
            (SQL / "counting.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION board_sign, board_joins, board_entries, entry_stands, board_counted, board_stood, standings_of_history,"
            " standings_as_of",
        ),
        migrations.RunSQL(
            (SQL / "standings.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION period_day, standing_gains, board_entered, standings_enter, standing_place, standing_places",
        ),
        migrations.RunSQL(
            (SQL / "recount.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION standings_put, standings_recount, standings_wrong, standings_mend, board_entry, standings_fill",
        ),
        migrations.RunSQL(
            (SQL / "closing.sql").read_text(encoding="utf-8"), "DROP FUNCTION period_close, period_gives"
        ),
        migrations.RunSQL(
            (SQL / "reveal.sql").read_text(encoding="utf-8"), "DROP FUNCTION period_reveal, period_unlike"
        ),
        migrations.RunSQL(
            (SQL / "checkpoints.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION checkpoint_joined, checkpoint_stood, checkpoint_changes, checkpoint_exactly, checkpoint_at,"
            " checkpoint_unseen, checkpoint_counted, checkpoint_holds, checkpoint_next, checkpoint_check",
        ),
        migrations.RunSQL(
            (SQL / "shown_columns.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION users_raise_version, users_open_total CASCADE",
        ),
        migrations.RunSQL(
            (SQL / "board_players.sql").read_text(encoding="utf-8"),
            "DROP VIEW board_players; DROP VIEW player_standings; DROP FUNCTION player_visible",
        ),
        migrations.RunSQL(
            (SQL / "ledger.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION ledger_record, ledger_recount, ledger_enter, ledger_refusal; DROP TYPE ledger_outcome",
        ),
    ]
