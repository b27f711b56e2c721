"""Everything held about a person, in one document, and nothing in it that would let its reader act as them."""

import json
import stat
import uuid
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from accounts.models import User
from leaderboard.boards import Board
from tests.support.lives import EMAIL, NAME, exported, life

pytestmark = pytest.mark.usefixtures("board", "unlimited")


@pytest.fixture
def zoe(board: Board) -> User:
    return life()


def test_every_place_is_in_the_document(zoe: User) -> None:
    document = exported(NAME.upper())
    assert document["identity"]["username"] == NAME
    assert document["identity"]["email"] == EMAIL
    assert document["score"]["total"] == 47
    assert [entry["delta"] for entry in document["history"]] == [40, 7]
    assert json.loads(document["boards"]["global"]["profile"])["username"] == NAME
    assert document["boards"]["global"]["total"] == 47
    empty = [name for name, part in document.items() if part in ([], {}, None)]
    assert empty == ["awards", "bonuses_given"]
    assert document["admin_log"]["about"][0]["what"] == f"Talked to {NAME}"


def test_by_id_it_is_the_same(zoe: User) -> None:
    by_name, by_id = exported(NAME), exported("--id", str(zoe.pk))
    assert by_name | {"exported_at": ""} == by_id | {"exported_at": ""}


def test_nothing_in_it_lets_the_reader_act_as_the_person_or_names_another(zoe: User) -> None:
    text = json.dumps(exported(NAME), ensure_ascii=False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM users UNION SELECT jti FROM sign_ins")
        secrets = [row for (row,) in cursor.fetchall()]
        cursor.execute(
            "SELECT session_key FROM sessions UNION SELECT key FROM otp_totp_totpdevice "
            "UNION SELECT token FROM otp_static_statictoken UNION SELECT digest FROM api_keys"
        )
        secrets += [row for (row,) in cursor.fetchall()]
    assert len(secrets) > 10
    for secret in secrets:
        assert secret not in text
    assert "moderator" not in text
    assert "Neighbour" not in text


def test_a_file_is_new_and_readable_by_its_owner_alone(zoe: User, tmp_path: Path) -> None:
    path = tmp_path / "zoe.json"
    call_command("export_user", NAME, "--output", str(path))
    assert json.loads(path.read_text())["identity"]["email"] == EMAIL
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(CommandError, match="File exists"):
        call_command("export_user", NAME, "--output", str(path))


@pytest.mark.parametrize("command", ["export_user", "erase_user"])
def test_nobody_is_an_error(board: Board, command: str) -> None:
    for whom in (["nobody"], [str(uuid.uuid4())], ["--id", str(uuid.uuid4())]):
        with pytest.raises(CommandError, match="There is no user"):
            call_command(command, *whom)
    for whom in ([], ["nobody", "--id", str(uuid.uuid4())]):
        with pytest.raises(CommandError, match="Give a name, or --id"):
            call_command(command, *whom)


@pytest.mark.parametrize("command", ["export_user", "erase_user"])
def test_an_id_is_no_name_and_a_name_no_id(zoe: User, command: str) -> None:
    with pytest.raises(CommandError, match="There is no user"):
        call_command(command, str(zoe.pk))
    with pytest.raises(CommandError, match="invalid UUID value"):
        call_command(command, "--id", NAME)
