"""The scorer's start: it refuses what it cannot score with, and says everything that is wrong."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from services.scorer.store import identity_keys
from shared import database as postgres
from shared.leads.identifiers import IdentityRules

ROOT = Path(__file__).resolve().parents[2]
BROKEN = """\
name: broken
dimensions:
  fit: {label: {en: Fit, de: Passung}}
  engagement: {label: {en: Engagement, de: Interesse}}
groups:
  web: {dimension: engagement, label: {en: Web, de: Web}}
engagement:
  view:
    event: page.viewed
    group: webb
    points: 4
    label: {en: Viewed, de: Angesehen}
  click:
    event: email.clicked
    group: web
    points: four
    label: {en: Clicked, de: Angeklickt}
grade:
  fit: {A: 30, B: 20, C: 10}
  engagement: {"1": 40, "2": 20, "3": 5}
"""


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run the scorer's process with these settings and nothing else of ours."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("LEADSCORE", "KAFKA"))
    }
    return subprocess.run(
        [sys.executable, "-m", "services.scorer"],
        cwd=ROOT,
        env={**inherited, "DATABASE_URL": "postgresql://127.0.0.1:1/none", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_first_model_with_mistakes_stops_the_start_and_lists_them_all(
    database: str, tmp_path: Path
) -> None:
    """Two mistakes in scoring.yaml: exit code 2, each with its line, its value and a way out."""
    model = tmp_path / "scoring.yaml"
    model.write_text(BROKEN)
    ended = start(
        LEADSCORE_IDENTITY_KEY="0123456789abcdef",
        LEADSCORE_SCORER_MODEL_FILE=str(model),
        DATABASE_URL=database,
    )
    assert ended.returncode == 2
    assert "scoring.yaml:10:" in ended.stderr
    assert "webb" in ended.stderr
    assert "Did you mean" in ended.stderr
    assert "scoring.yaml:16:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_missing_settings_are_listed(tmp_path: Path) -> None:
    """Without an identity key, and with a wrong number: both are named, nothing starts."""
    ended = start(LEADSCORE_SCORER_BATCH_RECORDS="many")
    assert ended.returncode == 2
    assert "LEADSCORE_IDENTITY_KEY" in ended.stderr
    assert "LEADSCORE_SCORER_BATCH_RECORDS" in ended.stderr


def test_a_first_model_that_is_not_there_is_said_in_words(database: str, tmp_path: Path) -> None:
    """A wrong path is one sentence with the setting to change."""
    ended = start(
        LEADSCORE_IDENTITY_KEY="0123456789abcdef",
        LEADSCORE_SCORER_MODEL_FILE=str(tmp_path / "none.yaml"),
        DATABASE_URL=database,
    )
    assert ended.returncode == 2
    assert "LEADSCORE_SCORER_MODEL_FILE" in ended.stderr


def test_another_identity_key_than_the_databases_stops_the_start(database: str) -> None:
    """Under a wrong key everybody would be a stranger: exit code 2, and what to set."""

    async def note() -> None:
        engine = postgres.engine(database, application="test", pool_size=1)
        await identity_keys.ensure(engine, IdentityRules(key=b"the key of this database"))
        await engine.dispose()

    asyncio.run(note())
    ended = start(LEADSCORE_IDENTITY_KEY="0123456789abcdef", DATABASE_URL=database)
    assert ended.returncode == 2
    assert "not those with which this database was written" in ended.stderr
    assert "LEADSCORE_IDENTITY_KEYS_BEFORE" in ended.stderr


def test_a_database_that_is_away_is_told_and_the_process_ends(tmp_path: Path) -> None:
    """Without Postgres at the start there is nothing to wait for here: the supervisor tries again."""
    ended = start(LEADSCORE_IDENTITY_KEY="0123456789abcdef")
    assert ended.returncode == 1
    assert "scorer.stopped" in ended.stderr
    assert "Traceback" not in ended.stderr
