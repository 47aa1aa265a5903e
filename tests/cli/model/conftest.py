"""A database in which two people were scored, under a model that a test can change."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from services.cli.__main__ import COMMANDS, application
from services.scorer.count import BatchCounter, decode_records
from services.scorer.models import first_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.models.rescore import Rescore
from services.scorer.offsets import Offsets
from shared import database as postgres
from shared.codec import encode
from shared.events import Event
from shared.ids import SystemIds
from shared.kafka.stream import Received
from shared.leads.identifiers import IdentityRules
from tests.scorer.conftest import KEY, MODEL, event

Run = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The model file on somebody's disk, as it is active."""
    written = tmp_path / "scoring.yaml"
    written.write_text(MODEL)
    return written


@pytest_asyncio.fixture
async def scored(database: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Ada sent a form an hour ago, Bob clicked twice; the model of the file scored them."""
    happened = [
        event("f", name="form.submitted", email="ada@example.com", age=timedelta(hours=1)),
        event("c1", name="email.clicked", email="bob@example.com", age=timedelta(days=29)),
        event("c2", name="email.clicked", email="bob@example.com"),
    ]
    engine = postgres.engine(database, application="test", pool_size=1)
    await first_model.ensure_first_model(engine, file)
    await count(engine, happened)
    await engine.dispose()
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("LEADSCORE_IDENTITY_KEY", KEY.decode())
    return database


async def count(engine: AsyncEngine, happened: list[Event]) -> None:
    """Count these events as a scorer does."""
    records = [
        Received(partition=0, offset=n, timestamp_ms=0, key=b"", value=encode(one))
        for n, one in enumerate(happened)
    ]
    async with postgres.transaction(engine) as connection:
        claim = await Offsets(group="g", topic="t", owner="o").claim(connection, 0, generation=1, first=0)
        assert claim is not None
        await counter().count(connection, decode_records(records), now=datetime.now(UTC))


def counter() -> BatchCounter:
    return BatchCounter(models=ModelsInForce(), rules=IdentityRules(key=KEY), topic="t", ids=SystemIds())


async def rescored(database: str) -> None:
    """What a running scorer does after a change."""
    engine = postgres.engine(database, application="test", pool_size=1)
    part = Rescore(database=engine, counter=counter(), interval_s=0.05)
    while await part.turn():
        continue
    await engine.dispose()


@pytest.fixture
def run() -> Run:
    """Run a command; what the main function makes of errors is not part of it."""

    def invoke(*argv: str) -> Result:
        return CliRunner().invoke(application(COMMANDS, [*argv]), argv)

    return invoke
