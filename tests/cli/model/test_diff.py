"""`leadscore model diff`: what a person and a script see."""

import json
from pathlib import Path

import pytest

from tests.cli.model.conftest import Run
from tests.scorer.conftest import MODEL


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A file in which a click is worth more."""
    written = tmp_path / "draft.yaml"
    written.write_text(MODEL.replace("points: 15", "points: 32"))
    return written


def test_two_files_need_no_database(
    file: Path, draft: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The difference in words, and exit code 1."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    ended = run("model", "diff", str(file), str(draft))
    assert ended.exit_code == 1
    assert "~ rule click" in ended.output
    assert "points: 15 → 32" in ended.output


def test_equal_models_have_exit_code_0(file: Path, run: Run) -> None:
    """As diff has it; and it says so."""
    ended = run("model", "diff", str(file), str(file))
    assert ended.exit_code == 0
    assert "score alike" in ended.output


def test_programs_get_json(file: Path, draft: Path, run: Run) -> None:
    """A list of differences, each with its details."""
    ended = run("model", "diff", str(file), str(draft), "--json")
    assert ended.exit_code == 1
    [one] = json.loads(ended.output)
    assert (one["kind"], one["name"], one["change"]) == ("rule", "click", "changed")
    assert one["details"] == [{"what": "points", "before": "15", "after": "32"}]


def test_the_active_model_against_a_file(scored: str, draft: Path, run: Run) -> None:
    """Versions and files can be compared with each other."""
    ended = run("model", "diff", "active", str(draft))
    assert ended.exit_code == 1
    assert "From version 1 to " in ended.output
    assert run("model", "diff", "1", "active").exit_code == 0


@pytest.mark.parametrize("named", ["99", "nowhere.yaml"])
def test_trouble_has_exit_code_2(scored: str, run: Run, named: str) -> None:
    """Neither equal nor different: a script must be able to tell."""
    assert run("model", "diff", "active", named).exit_code == 2


def test_lists_written_in_the_model_are_compared(file: Path, tmp_path: Path, run: Run) -> None:
    """A value more in a list of the file itself is told as such."""
    other = tmp_path / "other.yaml"
    rule = "  rival: {when: {company: {in: rivals}}, group: who, points: -5, label: {en: R, de: R}}\n"
    for target, values in ((file, "[acme]"), (other, "[acme, Evil Corp]")):
        target.write_text(MODEL.replace("fit:\n", f"lists: {{rivals: {values}}}\nfit:\n{rule}"))
    ended = run("model", "diff", str(file), str(other))
    assert "~ list rivals" in ended.output
    assert "1 added: evil corp" in ended.output
