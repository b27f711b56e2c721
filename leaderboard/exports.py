"""A board as a file: all of its players in the order of their ranks, from SQL, so that it is of one moment."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from accounts.exports import ExportView, export_schema
from api import exports
from leaderboard import boards, tiers
from leaderboard.boards import Board
from leaderboard.permissions import board_for
from leaderboard.serializers import TRUTH, ViewQuery
from leaderboard.truth import ORDER

COLUMNS = ["rank", "user_id", "provider", "external_id", "username", "score", "reached_at"]
# Each row with the number of players last, of which its tier is made.
ROWS = """
SELECT coalesce(b.rank, b.place), b.user_id, u.provider, u.external_id,
       b.username, b.total * %s, b.reached_at, b.players
  FROM (SELECT *, {rank}, row_number() OVER (ORDER BY {order}) AS place, count(*) OVER () AS players
          FROM board_players WHERE board = %s AND shown) b
  JOIN users u ON u.id = b.user_id
 ORDER BY b.place
"""
FINAL = """
SELECT f.rank, f.user_id, u.provider, u.external_id, player_name(u), f.points, f.reached_at,
       (SELECT count(*) FROM final_standings WHERE period_id = %s)
  FROM final_standings f JOIN users u ON u.id = f.user_id
 WHERE f.period_id = %s AND player_visible(u) ORDER BY f.place
"""


class BoardExportView(ExportView):
    right = "scoreboard.view_userscore"
    query = ViewQuery

    @export_schema("export_board", "A board from the first rank to the last, as a file", 400)
    def get(self, request: Request, extension: str) -> StreamingHttpResponse:
        boards.refresh(at_once=True)  # of a period that was closed just now its standings are gone
        board = board_for(request, self.asked["board"], self.asked["period"], truth=self.asked["view"] == TRUTH)
        if board.closed_at:
            rows: tuple[str, list[int]] = FINAL, [board.id, board.id]
        else:
            rows = ROWS.format(**ORDER[board.ties]), [board.score(1), board.id]
        columns = [*COLUMNS, *tiers.shown(board.tiers, None, 0)]
        return exports.response(f"board-{board.name}", extension, columns, rows, partial(with_tier, board))


def with_tier(board: Board, found: Sequence[Any]) -> Sequence[Any]:
    *row, players = found
    return [*row, *tiers.shown(board.tiers, row[0], players).values()]
