"""Where the files are that come with Leadscore."""

from pathlib import Path

import pytest

from shared.deployed import DEPLOY, shipped


def test_a_file_here_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deploy/config below the working directory is meant before the one that comes along."""
    mine = tmp_path / "deploy" / "config" / "sources.yaml"
    mine.parent.mkdir(parents=True)
    mine.touch()
    monkeypatch.chdir(tmp_path)
    assert shipped("deploy/config/sources.yaml").resolve() == mine.resolve()
    assert shipped("deploy/config/routing.yaml") == DEPLOY / "config" / "routing.yaml"


def test_other_paths_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody named himself is never replaced."""
    monkeypatch.chdir(tmp_path)
    assert shipped("mine/sources.yaml") == Path("mine/sources.yaml")
