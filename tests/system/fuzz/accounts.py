"""The books after a run: every point has its proof, SQL and Redis agree, and no user became more than a player."""

from django.db import connection

from accounts.models import User
from leaderboard import reconcile
from leaderboard.boards import Board

# Each lists what must not exist.
FAULTS = {
    "points for an action without a spent token of that player, type and worth": """
        SELECT h.id FROM score_history h LEFT JOIN action_tokens t ON t.id = h.action_id
         WHERE h.source = 'action' AND (t.redeemed_at IS NULL OR t.user_id <> h.user_id
               OR t.points <> h.delta OR t.action_type <> h.action_type)""",
    "a spent token without points": """
        SELECT t.id FROM action_tokens t LEFT JOIN score_history h ON h.action_id = t.id
         WHERE t.redeemed_at IS NOT NULL AND h.id IS NULL""",
    "an action that counted twice": """
        SELECT action_id FROM score_history GROUP BY action_id HAVING count(*) > 1""",
    "a bonus that nobody gave, or somebody gave themselves": """
        SELECT h.id FROM score_history h LEFT JOIN bonuses b ON b.id = h.action_id
         WHERE h.source = 'bonus'
           AND (b.id IS NULL OR b.actor_id = h.user_id OR b.points <> h.delta OR b.state <> 'paid')""",
    "a total that is not the sum of its history": """
        SELECT s.user_id FROM user_scores s
          LEFT JOIN (SELECT user_id, sum(delta) AS earned FROM score_history GROUP BY user_id) h USING (user_id)
         WHERE s.total <> coalesce(h.earned, 0)""",
}


def assert_nothing_was_won(board: Board) -> None:
    found = {}
    with connection.cursor() as cursor:
        for fault, query in FAULTS.items():
            cursor.execute(query)
            found[fault] = cursor.fetchall()
    assert {fault: rows for fault, rows in found.items() if rows} == {}
    report = reconcile.reconcile(board, check=True)
    assert not report.drift, report.players
    assert not User.objects.exclude(role=User.Role.PLAYER, is_superuser=False).exists()
