"""`leadscore model check`: what people and programs are told about a model, and that nothing is touched."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli.__main__ import COMMANDS, application
from tests.scoring.small import BASE, rule
from tests.servers import REPOSITORY

GOOD = BASE + "fit:\n" + rule("f", "when: {a: 1}, points: 30", group="who")
GOOD += "engagement:\n" + rule("a", "event: a, points: 40, half_life: 9d")
DOUBTFUL = GOOD.replace("A: 30", "A: 31")
BROKEN = GOOD.replace("points: 30", "points: many").replace("group: did", "group: dit")


def run(*words: str) -> Result:
    argv = ["model", "check", *words]
    return CliRunner().invoke(application(COMMANDS, argv), argv)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "m.yaml"


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (GOOD, [], 0),
        (GOOD, ["--strict"], 0),
        (DOUBTFUL, [], 0),
        (DOUBTFUL, ["--strict"], 1),
        (BROKEN, [], 2),
        (BROKEN, ["--strict", "--json"], 2),
    ],
)
def test_the_exit_code_tells_programs_what_was_found(
    file: Path, text: str, options: list[str], code: int
) -> None:
    """0 for usable, 1 for warnings where those count, 2 for mistakes."""
    file.write_text(text)
    assert run(str(file), *options).exit_code == code


def test_without_a_file_the_one_of_the_installation_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference model, which has neither mistakes nor warnings."""
    monkeypatch.chdir(REPOSITORY)
    done = run("--strict")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "deploy/config/scoring.yaml: no mistakes, no warnings"


def test_a_person_reads_findings_and_what_the_model_amounts_to(file: Path) -> None:
    """File and line stand at the beginning of a line, where editors look for them."""
    file.write_text(DOUBTFUL)
    assert run(str(file)).stdout.splitlines() == [
        f"{file}: no mistakes, 1 warning",
        "  model     Small",
        "  rules     1 engagement, 1 fit, in 2 groups",
        "  stages    lead",
        "  at most   fit 30, engagement without bounds, score 100",
        f"{file}:9: warning: grade: A needs fit 31, but the most is 30. Lower it",
    ]


def test_all_mistakes_of_all_files_come_at_once(file: Path) -> None:
    """A broken file does not hide the next one; a file that is not there is a mistake like others."""
    file.write_text(BROKEN)
    absent = file.parent / "absent.yaml"
    done = run(str(file), str(absent), str(REPOSITORY / "deploy" / "config" / "scoring.demo.yaml"))
    assert done.exit_code == 2
    assert done.stdout.splitlines()[:5] == [
        f"{file}: 2 mistakes",
        f'{file}:12: mistake: rule "f", points: expected a number; seen: "many"',
        f'{file}:14: mistake: rule "a": unknown group "dit". Groups: did, who. Did you mean "did"?',
        f"{absent}: 1 mistake",
        f"{absent}:1: mistake: there is no such file. Create it, or name another",
    ]
    assert "scoring.demo.yaml: no mistakes, no warnings" in done.stdout


def test_a_program_reads_json(file: Path) -> None:
    """File, line, severity and message of each finding, and nothing else on stdout."""
    file.write_text(DOUBTFUL)
    assert json.loads(run(str(file), "--json").stdout) == [
        {
            "file": str(file),
            "line": 9,
            "severity": "warning",
            "message": "grade: A needs fit 31, but the most is 30. Lower it",
        }
    ]
    file.write_text(GOOD)
    assert json.loads(run(str(file), "--json").stdout) == []


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_stands_in_a_file_steers_no_terminal(file: Path, options: list[str]) -> None:
    """Neither rich's markup nor escape codes: a model may come from anybody."""
    file.write_text(GOOD.replace("name: Small", 'name: "[bold red]"'))
    assert ("[bold red]" in run(str(file), *options).stdout) == (options == [])
    file.write_text(GOOD.replace("group: did", 'group: "[red]\\e[2J\\u202e"'))
    shown = run(str(file), *options).stdout
    assert "[red]" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_checking_changes_nothing(file: Path) -> None:
    """Neither the file nor anything beside it."""
    for text in (GOOD, DOUBTFUL, BROKEN):
        file.write_text(text)
        before = file.stat()
        run(str(file))
        assert [each.name for each in file.parent.iterdir()] == ["m.yaml"]
        assert (file.read_text(), file.stat().st_mtime_ns) == (text, before.st_mtime_ns)
