"""What is kept of scores, and of the boards that are rules over them."""

from scoreboard.models.boards import EACH, GLOBAL, Board
from scoreboard.models.closing import PeriodClosing, PlayerNotice
from scoreboard.models.periods import BoardPeriod, BoardReveal, BoardScope, BoardsVersion
from scoreboard.models.scores import (
    CURRENT_TRANSACTION,
    MAX_BONUS,
    MAX_TOTAL,
    Bonus,
    ScoreHistory,
    UserScore,
)
from scoreboard.models.standings import AttributeHistory, BoardCheckpoint, BoardEntrant, BoardStanding, FinalStanding

__all__ = [
    "CURRENT_TRANSACTION",
    "EACH",
    "GLOBAL",
    "MAX_BONUS",
    "MAX_TOTAL",
    "AttributeHistory",
    "Board",
    "BoardCheckpoint",
    "BoardEntrant",
    "BoardPeriod",
    "BoardReveal",
    "BoardScope",
    "BoardStanding",
    "BoardsVersion",
    "Bonus",
    "FinalStanding",
    "PeriodClosing",
    "PlayerNotice",
    "ScoreHistory",
    "UserScore",
]
