"""`leadscore model test`: what it prints, and the exit code that a pipeline relies on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scoring.small import BASE, rule
from tests.servers import REPOSITORY

GOOD = "situations:\n  - {name: nothing, expect: {score: 0}}\n"
BAD = (
    "situations:\n  - {name: nothing, expect: {score: 0}}\n"
    "  - name: '[red]twice[/red]'\n    events: [{event: demo, age: 1h, times: 2}]\n"
    "    expect: {score: 40, receipts: {demo: 30, score limit: 10}}\n"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file with situations beside it that hold."""
    file = tmp_path / "draft.yaml"
    file.write_text(BASE + f"engagement:\n{rule('demo', 'event: demo, points: 30')}")
    (tmp_path / "draft.situations.yaml").write_text(GOOD)
    return file


def _test(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, with no database and no Kafka to be found."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "model", "test", *map(str, words)],
        cwd=REPOSITORY,
        env={"PATH": "", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_shipped_model_does_what_its_situations_say() -> None:
    """Without arguments: deploy/config/scoring.yaml and the file beside it; exit code 0."""
    done = _test()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("deploy/config/scoring.yaml: all ")


def test_the_situations_beside_a_model_are_found(model: Path) -> None:
    """`draft.yaml` has `draft.situations.yaml`."""
    done = _test(model)
    assert (done.returncode, done.stdout) == (0, f"{model}: all 1 situations hold\n")


def test_a_situation_that_does_not_hold_is_shown_line_by_line(model: Path, tmp_path: Path) -> None:
    """Its place, both sides, a summary, exit code 1; what looks like markup is shown as it is."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    done = _test(model, "--situations", bad, "--situations", tmp_path / "draft.situations.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{bad}:3: [red]twice[/red]",
        "  score: expected 40, seen 60",
        "  receipts: - expected, + seen",
        "    - demo: 30",
        "    + demo: 60",
        "    - score limit: 10",
        "",
        f"{model}: 1 of 3 situations does not hold",
    ]


def test_programs_get_json(model: Path, tmp_path: Path) -> None:
    """The same as data, with the same exit code."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    done = _test(model, "--situations", bad, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["model"], told["failed"]) == (str(model), 1)
    assert [(each["line"], each["name"], each["holds"]) for each in told["situations"]] == [
        (2, "nothing", True),
        (3, "[red]twice[/red]", False),
    ]
    assert told["situations"][1]["differences"][0] == {"what": "score", "expected": ["40"], "seen": ["60"]}


def test_mistakes_in_files_are_told_together_with_exit_code_2(model: Path, tmp_path: Path) -> None:
    """Every file is read before anything is said."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("situations:\n  - {name: one, expect: {scor: 1}}\n")
    done = _test(model, "--situations", broken, "--situations", tmp_path / "absent.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert f'{broken}:2: situation "one", expect: unknown key "scor". Keys: ' in done.stderr
    assert f"{tmp_path / 'absent.yaml'}: FileNotFoundError. Write situations there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_in_the_model_is_exit_code_2(model: Path) -> None:
    """The model is checked before its situations."""
    model.write_text(model.read_text().replace("points: 30", "points: many"))
    done = _test(model)
    assert done.returncode == 2
    assert 'rule "demo", points: expected a number; seen: "many"' in done.stderr
