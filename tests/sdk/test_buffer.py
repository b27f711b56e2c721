"""What the Python kit accepts stays within its bounds, and belongs to one process."""

import subprocess
import sys
from pathlib import Path

import pytest
from live_scoreboard import Buffer, BufferFull, ScoreboardError

from tests.support.processes import ROOT


def add(buffer: Buffer, id: str, action_type: str = "WIN_MATCH") -> None:
    buffer.add({"id": id, "player": "42", "action_type": action_type})


def test_it_refuses_when_it_is_full_and_takes_more_when_there_is_room() -> None:
    buffer = Buffer(most=2)
    add(buffer, "a")
    add(buffer, "b")
    with pytest.raises(BufferFull):
        add(buffer, "c")
    buffer.drop(["a"])
    add(buffer, "c")
    assert list(buffer.oldest(10)) == ["b", "c"]


def test_bytes_are_bounded_too() -> None:
    buffer = Buffer(most_bytes=150)
    add(buffer, "a")
    add(buffer, "b")
    with pytest.raises(BufferFull):
        add(buffer, "c")
    assert buffer.size <= 150
    assert buffer.size == sum(map(len, buffer.oldest(10).values()))


def test_an_award_that_waits_already_is_accepted_without_a_second_place() -> None:
    buffer = Buffer(most=1)
    add(buffer, "a")
    add(buffer, "a")
    assert buffer.count == 1
    with pytest.raises(ValueError, match="another award with the id 'a'"):
        add(buffer, "a", "DAILY_LOGIN")


@pytest.mark.parametrize("id", ["", "x" * 256, 7, "\ud800"])
def test_what_could_be_no_award_is_not_accepted(id: str) -> None:
    buffer = Buffer()
    with pytest.raises(ValueError, match=r"expected an id|surrogates"):
        add(buffer, id)
    assert buffer.count == 0


def test_a_file_keeps_what_waits_in_order(tmp_path: Path) -> None:
    path = str(tmp_path / "buffer.sqlite")
    buffer = Buffer(path)
    for id in ("b", "a", "c"):
        add(buffer, id)
    buffer.drop(["a"])
    buffer.close()
    again = Buffer(path)
    assert list(again.oldest(10)) == ["b", "c"]
    assert again.count == 2
    again.close()


def test_a_file_is_one_process_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "buffer.sqlite")
    buffer = Buffer(path)
    opening = [sys.executable, "-c", f"from live_scoreboard import Buffer; Buffer({path!r})"]
    where = {"PYTHONPATH": str(ROOT / "sdk" / "python")}
    other = subprocess.run(opening, env=where, capture_output=True, text=True, check=False)
    assert "another process has it" in other.stderr
    buffer.close()
    assert subprocess.run(opening, env=where, check=False).returncode == 0


def test_what_is_no_buffer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database\n" * 100)
    with pytest.raises(ScoreboardError, match=r"notes\.txt"):
        Buffer(str(path))
