"""`leadscore lead list`: a table for people, JSON for programs."""

import asyncio
import json
from pathlib import Path

import pytest

from services.scorer.board.keep import write_noted
from services.scorer.count import BatchCounter
from services.scorer.models import first_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.models.model_source import read as read_model
from shared import database as postgres
from shared.errors import Invalid
from shared.ids import SystemIds
from tests.cli import commands
from tests.scorer.conftest import MODEL
from tests.scorer.identity.people import RULES, Town, seen


@pytest.fixture
def listed(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An MQL and a lead on the board, and a visitor who is not."""
    monkeypatch.setenv("DATABASE_URL", database)
    file = tmp_path / "scoring.yaml"
    file.write_text(MODEL, encoding="utf-8")

    async def fill() -> None:
        engine = postgres.engine(database, application="test", pool_size=2)
        await first_model.ensure_first_model(engine, file)
        counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds())
        ada = {"name": "Ada Lovelace", "company": "Engines"}
        await Town(engine=engine, counter=counter, model=read_model(file).model).count(
            seen(1, user_id="u1", email="ada@engines.example", traits=ada, name="form.submitted"),
            seen(2, user_id="u2", email="bo@boats.example"),
            seen(3, anonymous_id="d1"),
        )
        await write_noted(engine, counter.models.noted)
        await engine.dispose()

    asyncio.run(fill())


def run(*argv: str) -> str:
    return commands.run("lead", "list", *argv, columns=240)


def test_the_best_come_first(listed: None) -> None:
    """Everybody who has something to show, or only those of a stage or with a text."""
    lines = [line for line in run().splitlines() if ".example" in line]
    assert ["ada@engines.example" in line for line in lines] == [True, False]
    assert "Ada Lovelace" in lines[0]
    assert "mql" in lines[0]
    assert "bo@boats.example" not in run("--stage", "MQL")
    assert "ada@" not in run("--search", "BOATS")
    assert run("--limit", "1").count(".example") == 1


def test_programs_get_everything(listed: None) -> None:
    """All that a card has; when the score was written, too."""
    (card,) = json.loads(run("--search", "lovel", "--json"))
    assert (card["stage"], card["company"], card["first_source"], card["owner"]) == (
        "mql",
        "Engines",
        "product",
        None,
    )
    assert {"scored_at", "last_seen_at", "dimensions", "grade", "last_source"} <= card.keys()


def test_nobody_and_nothing_of_that_name(listed: None) -> None:
    """A sentence; an unknown stage is refused with those there are."""
    assert "no lead is like that" in run("--search", "nobody")
    with pytest.raises(Invalid, match=r"no such stage\. Stages: visitor, lead"):
        run("--stage", "hot")
