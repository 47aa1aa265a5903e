"""The docs cannot lie: settings, metrics, topics, tables, log lines and commands are told, and truly."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli import command_reference
from services.cli.__main__ import COMMANDS
from services.cli.reference import METRICS_FILE, SETTINGS_FILE, metrics_text, settings_text
from shared import events, topics

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
README = (ROOT / "README.md").read_text()
SOURCES = sorted([*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")])


def test_every_setting_is_in_the_reference() -> None:
    """deploy/config/reference.env is what the settings classes say; `make reference` renews it."""
    assert SETTINGS_FILE.read_text() == settings_text()


def test_every_metric_is_in_the_docs() -> None:
    """docs/metrics.md is what the metrics modules say; `make reference` renews it."""
    assert METRICS_FILE.read_text() == metrics_text()


def test_every_command_is_in_the_reference() -> None:
    """docs/reference/commands.md is what the commands say of themselves; `make reference` renews it."""
    assert command_reference.FILE.read_text() == command_reference.commands_text()


def test_every_variable_that_code_reads_is_in_the_reference() -> None:
    """A name looked up in an environment, or named in a file of deploy/config, is in reference.env."""
    known = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", SETTINGS_FILE.read_text(), re.MULTILINE)) | {"PATH"}
    read = {name for path in SOURCES for name in _looked_up(path)}
    for file in ("sources.yaml", "routing.yaml"):
        text = (ROOT / "deploy" / "config" / file).read_text()
        read |= set(re.findall(r"\$\{([A-Z0-9_]+)\}", text)) - {"NAME"}
    assert read - known == set()


def _looked_up(path: Path) -> Iterator[str]:
    """Names in `environment["X"]`, `environment.get("X")` and the like."""
    yield from re.findall(r"environ(?:ment)?(?:\.get\(|\[)\s*\"([A-Z][A-Z0-9_]+)\"", path.read_text())


@pytest.mark.parametrize("name", [topics.EVENTS, topics.REJECTED, topics.SALES])
def test_every_topic_is_in_the_glossary(name: str) -> None:
    """A topic nobody can look up is a topic nobody dares to read."""
    assert f"`{name}`" in GLOSSARY


def test_every_event_of_ours_is_in_the_glossary() -> None:
    """The names in shared/events.py are all told."""
    ours = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    assert {name for name in ours if f"`{name}`" not in GLOSSARY} == set()


def test_every_table_is_in_the_glossary() -> None:
    """What a migration creates, the glossary explains."""
    made = {
        name
        for path in ROOT.glob("deploy/migrations/versions/*.py")
        for name in re.findall(r"^CREATE TABLE (\w+) \(", path.read_text(), re.MULTILINE)
    }
    assert made
    assert {name for name in made if f"`{name}`" not in GLOSSARY} == set()


def test_every_log_line_is_in_the_glossary_and_nothing_else() -> None:
    """The names that code logs and the names that the glossary explains are the same."""
    logged = {
        name for path in SOURCES for name in re.findall(r"\blog\(\s*\"([a-z]+\.[a-z_]+)\"", path.read_text())
    }
    log_lines = GLOSSARY.split("## Log lines")[1].split("\n## ")[0]
    told = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", log_lines, re.MULTILINE))
    assert logged == told


def test_every_command_is_explained_somewhere() -> None:
    """Beside the reference, each `leadscore` command appears in the README, a guide or the runbook."""
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path != command_reference.FILE]
    docs = README + "".join(path.read_text() for path in pages)
    assert {command for command in COMMANDS if f"leadscore {command}" not in docs} == set()


def test_every_row_of_the_fault_matrix_is_a_test() -> None:
    """docs/faults.md and tests/faults have the same rows, and agree on which are in `make test`."""
    table = (ROOT / "docs" / "faults.md").read_text().split("## The rows")[1].split("\n## ")[0]
    told = {int(row): quick for row, quick in re.findall(r"^\| (\d+)(, quick)? \|", table, re.MULTILINE)}
    marked = re.compile(r"((?:^@.*\n)+)async def test_row_(\d+)_", re.MULTILINE)
    there = {
        int(row): "" if "mark.slow" in marks else ", quick"
        for path in (ROOT / "tests" / "faults").glob("test_*.py")
        for marks, row in marked.findall(path.read_text())
    }
    assert len(there) > 15
    assert told == there


def test_every_link_between_our_documents_leads_somewhere() -> None:
    """A relative link in a Markdown file names a file that is there."""
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_decision_is_in_the_list() -> None:
    """docs/decisions/README.md lists every page beside it."""
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    assert [path.name for path in folder.glob("0*.md") if path.name not in listed] == []


def test_the_rooms_of_the_engine_are_those_of_the_map() -> None:
    """docs/architecture.md says in which room of shared/scoring each module is, and names no other."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    told = {
        f"{room}/{module}"
        for room, modules in re.findall(r"\| `(\w+)/`: ([^|]+)\|", text)
        for module in re.findall(r"`(\w+)`", modules)
    }
    rooms = ROOT / "shared" / "scoring"
    there = {f"{path.parent.name}/{path.stem}" for path in rooms.glob("*/*.py") if path.stem != "__init__"}
    assert told == there


# What these words mean in our code is what they mean in English or in the trade.
_PLAIN_WORDS = frozenset(
    [
        "after",
        "all",
        "and",
        "any",
        "attribute",
        "bad",
        "change",
        "check",
        "compiled",
        "condition",
        "count",
        "cycle",
        "detail",
        "difference",
        "enter",
        "error",
        "event",
        "expect",
        "expected",
        "field",
        "fit",
        "fits",
        "form",
        "grades",
        "group",
        "label",
        "latest",
        "lazy",
        "lead",
        "leave",
        "letters",
        "limit",
        "line",
        "list",
        "match",
        "memo",
        "model",
        "move",
        "names",
        "nearest",
        "next",
        "not",
        "number",
        "numbers",
        "observed",
        "occurrence",
        "of",
        "parts",
        "pattern",
        "points",
        "profile",
        "range",
        "rate",
        "reader",
        "reading",
        "receipt",
        "repeat",
        "result",
        "results",
        "rule",
        "score",
        "sentences",
        "shape",
        "shown",
        "situation",
        "situations",
        "stage",
        "standing",
        "state",
        "step",
        "table",
        "term",
        "test",
        "tests",
        "time",
        "trail",
        "track",
        "transition",
        "window",
    ]
)


def test_every_class_of_the_engine_is_in_the_glossary_or_plain_english() -> None:
    """A name of ours that nobody explains costs every newcomer a question."""
    glossary = (ROOT / "docs" / "glossary.md").read_text().lower()
    unexplained = set()
    for path in (ROOT / "shared" / "scoring").rglob("*.py"):
        for name in re.findall(r"^class ([A-Z]\w+)", path.read_text(), re.MULTILINE):
            words = [word.lower() for word in re.findall(r"[A-Z][a-z]+", name)]
            spelled = " ".join(words)
            if spelled not in glossary and not all(
                word in _PLAIN_WORDS or f"**{word}" in glossary for word in words
            ):
                unexplained.add(name)
    assert unexplained == set()
