"""The demo's people: three accounts with documented passwords, and the players who fill the board.

The totals are small on purpose: the players earn some forty points a second, and should be seen to pass each other
within minutes.
"""

import uuid
from dataclasses import dataclass

from django.templatetags.static import static

from accounts.models import User

# Ids derive from names, so that a later load recognises what an earlier one made.
NAMESPACE = uuid.UUID("6d9a1c8e-0b0c-5f43-9a53-6b3f2f1d7c11")
AVATARS = "demo/avatars/"


@dataclass(frozen=True, slots=True)
class Account:
    """An account whose password is documented."""

    username: str
    password: str
    role: User.Role
    superuser: bool = False
    total: int = 0
    avatar: str = ""
    region: str = ""


ACCOUNTS = [
    Account("admin", "admin-demo", User.Role.ADMIN, superuser=True),
    Account("mod", "mod-demo", User.Role.MODERATOR),
    Account("alice", "alice-demo", User.Role.PLAYER, total=64, avatar="rabbit", region="EU"),
]

# Username, region, total, avatar: a file of static/demo/avatars without its ending. Many scripts, emoji, both
# directions, the shortest and the longest name there can be; all invented.
PLAYERS = [
    ("Nadia Quillfeather", "EU", 241, "fox"),
    ("さくらもち", "AS", 233, "cherry"),
    ("Соня Листопад", "EU", 226, "leaf"),
    ("mountain_goat", "NA", 218, "mountain"),
    ("نور القمر", "AF", 209, "moon"),
    ("Zoë Månljus", "EU", 201, "face-01"),
    ("별하늘", "AS", 194, "planet"),
    ("नीलकमल", "AS", 187, "tulip"),
    ("Ελευθερία", "EU", 180, "face-02"),
    ("🦊 Fennec", "AF", 173, "fennec"),
    ("תפוז קטן", "AS", 167, "orange"),
    ("天狼星", "AS", 161, "star"),
    ("Þórunn", "EU", 155, "whale"),
    ("Ngọc Ánh", "AS", 149, "face-03"),
    ("თამარი", "AS", 143, "face-04"),
    ("ดาวเหนือ", "AS", 138, "rocket"),
    ("The one with a very long name which only just fits", "OC", 133, "giraffe"),
    ("Անուշիկ", "AS", 128, "face-05"),
    ("நிலாமுகில்", "AS", 123, "cloud"),
    ("ሰላም", "AF", 118, "face-06"),
    ("Włodka", "EU", 113, "face-07"),
    ("Їжачок", "EU", 109, "hedgehog"),
    ("小石头", "AS", 104, "owl"),
    ("Iñaki", "SA", 100, "face-08"),
    ("👩🏽‍🚀 Tamsin", "NA", 96, "face-09"),
    ("Q", "NA", 92, "robot"),
    ("Ayọ̀délé", "AF", 88, "face-10"),
    ("বর্ষা", "AS", 84, "umbrella"),
    ("ستاره", "AS", 80, "face-11"),
    ("Åsa & Örjan", "EU", 76, "boat"),
    ("O'Marrow", "EU", 72, "mushroom"),
    ("かぜ丸", "AS", 69, "kite"),
    ("వెన్నెల", "AS", 65, "face-12"),
    ("<b>not bold</b>", "NA", 62, "ghost"),
    ("Žiogelis", "EU", 58, "frog"),
    ("Жұлдызай", "AS", 55, "face-13"),
    ("Élodie", "EU", 51, "face-14"),
    ("ಬೆಳಕು", "AS", 48, "sun"),
    ("Moana Iti", "OC", 45, "fish"),
    ("Şebnem Göl", "AS", 42, "face-15"),
    ("മഴവില്ല്", "AS", 39, "balloon"),
    ("100%", "OC", 36, "lemon"),
    ("Jiřinka", "EU", 33, "bee"),
    ("ਤਾਰਾ", "AS", 30, "face-16"),
    ("🎲🎲🎲", "SA", 26, "dice"),
    ("ផ្កាយ", "AS", 23, "cactus"),
    ("Mørk Natt", "EU", 19, "cat"),
    ("तितली", "AS", 15, "butterfly"),
    ("kiwi.bird", "OC", 10, "bird"),
    ("Late to the party", "NA", 6, "penguin"),
]


def user_id(name: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, name)


def action_id(name: str, position: int) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{name}/{position}")


def username(number: int) -> str:
    """The name of player `number`, from 0. After the list it begins anew, with a number behind the names."""
    again, place = divmod(number, len(PLAYERS))
    name = PLAYERS[place][0]
    return f"{name[:40].strip()} {again + 1}" if again else name


def email(number: int) -> str:
    return f"player-{number + 1:03}@demo.invalid"


def avatars(site: str) -> dict[uuid.UUID, str]:
    """By user id, the URL of the avatar, for a site whose origin is `site`; "" for those without."""
    drawn = [*((account.username, account.avatar) for account in ACCOUNTS), *((p[0], p[3]) for p in PLAYERS)]
    return {user_id(name): f"{site}{static(f'{AVATARS}{file}.svg')}" if file else "" for name, file in drawn}
