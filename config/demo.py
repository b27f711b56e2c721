"""The demo's people: three accounts whose passwords everyone knows, and players to fill the board.

The totals are small on purpose: `manage.py play` earns some forty points a second for fifty players, and its players
should be seen to climb into the top within minutes.
"""

import uuid
from dataclasses import dataclass

from accounts.models import User

# Ids derive from names, so that a later load recognises what an earlier one made.
NAMESPACE = uuid.UUID("6d9a1c8e-0b0c-5f43-9a53-6b3f2f1d7c11")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in; documented for whoever tries the demo."""

    username: str
    password: str
    role: User.Role
    superuser: bool = False
    total: int = 0


ACCOUNTS = [
    Account("admin", "admin-demo", User.Role.ADMIN, superuser=True),
    Account("mod", "mod-demo", User.Role.MODERATOR),
    Account("alice", "alice-demo", User.Role.PLAYER, total=64),
]

# Username, region, total. Many scripts, emoji, both directions, the shortest and the longest name there can be.
PLAYERS = [
    ("Nadia", "EU", 241),
    ("さくら", "AS", 228),
    ("Ольга Петренко", "EU", 213),
    ("mountain_goat", "NA", 199),
    ("محمد الأمين", "AF", 187),
    ("Zoë", "EU", 176),
    ("김민준", "AS", 164),
    ("🦊 Fennec", "AF", 155),
    ("प्रिया", "AS", 146),
    ("Ngọc Ánh", "AS", 138),
    ("O'Sullivan", "EU", 131),
    ("天狼星", "AS", 124),
    ("Þórunn", "EU", 117),
    ("The one with a very long name which only just fits", "OC", 111),
    ("נועה", "AS", 104),
    ("Iñaki", "SA", 98),
    ("Q", "NA", 92),
    ("Ελευθερία", "EU", 87),
    ("👩🏽‍🚀 Kamala", "NA", 82),
    ("Włodek", "EU", 77),
    ("สมชาย", "AS", 72),
    ("<b>not bold</b>", "NA", 67),
    ("Åsa & Örjan", "EU", 67),
    ("Անի", "AS", 58),
    ("José María", "SA", 54),
    ("თამარი", "AS", 50),
    ("Chukwuemeka", "AF", 46),
    ("தமிழ்செல்வன்", "AS", 42),
    ("100%", "OC", 39),
    ("Élodie", "EU", 36),
    ("আনিকা", "AS", 33),
    ("Te Rangi", "OC", 30),
    ("ሰላም", "AF", 27),
    ("Şebnem", "AS", 24),
    ("🎲🎲🎲", "SA", 21),
    ("Mørk Natt", "EU", 18),
    ("فرهاد", "AS", 15),
    ("Luz del Mar", "SA", 12),
    ("kiwi.bird", "OC", 9),
    ("Late to the party", "NA", 6),
]


def user_id(username: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, username)


def action_id(username: str, position: int) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{username}/{position}")
