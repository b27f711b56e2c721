"""What is kept of scores, and of the boards that are rules over them."""

from scoreboard.models.boards import (
    EACH,
    GLOBAL,
    AttributeHistory,
    Board,
    BoardCheckpoint,
    BoardEntrant,
    BoardPeriod,
    BoardReveal,
    BoardScope,
    BoardStanding,
    BoardsVersion,
    FinalStanding,
)
from scoreboard.models.closing import PeriodClosing, PlayerNotice
from scoreboard.models.scores import (
    CURRENT_TRANSACTION,
    MAX_BONUS,
    MAX_TOTAL,
    Bonus,
    ScoreHistory,
    UserScore,
)

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
