"""The rules of the house that no linter knows: sizes, names, what tests must say, what is never written."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = sorted(
    path
    for folder in ("services", "shared", "tests", "benchmarks", "maintenance")
    for path in (ROOT / folder).rglob("*.py")
)
CODE = [path for path in OURS if not path.is_relative_to(ROOT / "tests")]

MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "helpers", "common", "models_", "types", "misc"}
DECISIONS = (
    *("services/ingest/validate.py", "services/ingest/decode.py", "services/ingest/not_counted.py"),
    *(f"services/scorer/identify/{name}.py" for name in ("evidence", "facts", "picture", "people")),
    *(f"services/scorer/identify/{name}.py" for name in ("devices", "place", "groups", "served")),
    *(f"services/scorer/identify/{name}.py" for name in ("parties", "keep_leads", "regroup")),
    *("services/scorer/settle.py", "services/scorer/correct.py", "shared/leads/identifiers.py"),
    *(f"services/scorer/judge/{name}.py" for name in ("marks", "thresholds", "acts", "signals", "timeline")),
    *(f"services/scorer/judge/{name}.py" for name in ("visits", "clicks", "verdicts", "differences")),
    *(f"services/scorer/judge/{name}.py" for name in ("news", "recipients")),
    *("services/scorer/retention/months.py",),
    *("services/scorer/accounts/notes.py", "shared/leads/account_of.py", "shared/leads/account_people.py"),
    *("shared/scoring/engine/accounts.py",),
    *("services/scorer/objection.py", "shared/leads/objection.py"),
    *("services/scorer/changes.py", "shared/leads/portrait.py", "services/scorer/poison.py"),
    *("services/cli/imports/understand.py", "services/cli/imports/history_event.py"),
    *("services/cli/replay/compare.py", "services/scorer/imported.py", "shared/leads/names.py"),
    *("services/router/decide.py", "services/router/render.py", "services/router/sign.py"),
    *("services/router/retry.py", "services/router/breaker.py", "services/router/addresses.py"),
)


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_files_are_short() -> None:
    """No file of ours is longer than 400 lines."""
    long = {
        str(path.relative_to(ROOT)): n
        for path in OURS
        if (n := path.read_text().count("\n")) > MOST_FILE_LINES
    }
    assert long == {}


def test_functions_are_short() -> None:
    """No function outside tests is longer than 60 lines, docstring included; nine of ten are under 25."""
    sizes = {
        f"{path.relative_to(ROOT)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in CODE
        for node in _functions(path)
    }
    assert {name: size for name, size in sizes.items() if size > MOST_FUNCTION_LINES} == {}
    assert sorted(sizes.values())[int(len(sizes) * 0.9)] <= 25


def test_no_drawer_for_everything() -> None:
    """No module is called utils, helpers, common or types: its name says what it does."""
    assert [str(path) for path in CODE if path.stem in FORBIDDEN_NAMES] == []


def test_every_module_says_what_it_is() -> None:
    """Modules with more than a few lines open with what comes in, what goes out, what they refuse."""
    silent = [
        str(path.relative_to(ROOT)) for path in OURS if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert [name for name in silent if not name.endswith("__init__.py")] == []


def test_every_test_states_its_behaviour() -> None:
    """The docstrings of the tests, read together, are the specification."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in OURS
        if path.is_relative_to(ROOT / "tests")
        for node in _functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions_touch_nothing_but_values(name: str) -> None:
    """A decision has no await, clock, chance, environment, log or metric in it."""
    text = (ROOT / name).read_text()
    tree = ast.parse(text)
    assert not any(isinstance(node, ast.Await | ast.AsyncFunctionDef) for node in ast.walk(tree))
    imported = {
        alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    effects = ("time", "random", "os", "shared.telemetry", "shared.clock", "prometheus_client", "structlog")
    assert [one for one in imported if one.split(".")[0] in effects or one.startswith(effects[3:5])] == []
    assert not re.search(r"datetime\.now|utcnow|metrics\.", text)


def test_lock_files_hold_no_address() -> None:
    """Every installation has a package registry of its own: locks carry names, versions and hashes."""
    locks = [
        *(ROOT / "deploy" / "locks").glob("*.txt"),
        ROOT / "services" / "cli" / "local" / "kafka-jars.txt",
    ]
    assert len(locks) > 4
    assert [path.name for path in locks if "://" in path.read_text() or "index-url" in path.read_text()] == []
