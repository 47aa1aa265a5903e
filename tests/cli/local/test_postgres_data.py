"""The data folder of embedded PostgreSQL: for the right user. The server itself: test_postgres.py."""

import os
import pwd
from pathlib import Path

import pytest

from services.cli.local import postgres_data
from shared.errors import Misconfigured


def test_a_user_without_a_name_is_told() -> None:
    """A container's random uid gets one sentence with the ways out instead of initdb's complaint."""
    nameless = next(uid for uid in range(70_000, 80_000) if not _has_name(uid))
    with pytest.raises(Misconfigured, match=rf"user {nameless}, who has no name.*set DATABASE_URL"):
        postgres_data.check_name(nameless)
    postgres_data.check_name(0)


def test_root_runs_it_as_the_owner_of_the_data(tmp_path: Path) -> None:
    """Data that an ordinary user made stay theirs when root starts it; others run it as themselves."""
    data = tmp_path / "data"
    root = os.geteuid() == 0
    assert postgres_data.runs_as(data) == (65534 if root else None)
    data.mkdir()
    if root:
        os.chown(data, 12345, -1)
    assert postgres_data.runs_as(data) == (12345 if root else None)


@pytest.mark.parametrize("text", ["", "not a number\nrest", "999999999\nrest"])
def test_a_pid_file_that_names_no_process_is_postgres_own_matter(tmp_path: Path, text: str) -> None:
    """Only a pid that lives as something else is replaced."""
    note = tmp_path / "postmaster.pid"
    note.write_text(text)
    postgres_data.take_over_pid_file(tmp_path)
    assert note.read_text() == text


def test_a_pid_of_another_program_is_replaced_and_the_rest_kept(tmp_path: Path) -> None:
    """The rest names the shared memory by which PostgreSQL finds old backends."""
    note = tmp_path / "postmaster.pid"
    note.write_text("1\n/data\n17\n")
    postgres_data.take_over_pid_file(tmp_path)
    assert note.read_text() == f"{os.getpid()}\n/data\n17\n"


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
