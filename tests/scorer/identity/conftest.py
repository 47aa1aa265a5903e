"""A town: leads on a real Postgres, counted without Kafka."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio

from services.scorer.count import BatchCounter
from services.scorer.models import first_model, model_source
from services.scorer.models.in_force import ModelsInForce
from shared import database as postgres
from shared.ids import SystemIds
from tests.scorer.conftest import MODEL
from tests.scorer.identity.people import RULES, Town

REFERENCE = Path(__file__).resolve().parents[3] / "deploy" / "config" / "scoring.yaml"


@asynccontextmanager
async def _town(database: str, file: Path) -> AsyncIterator[Town]:
    engine = postgres.engine(database, application="test", pool_size=4)
    await first_model.ensure_first_model(engine, file)
    counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds())
    yield Town(engine=engine, counter=counter, model=model_source.read(file).model)
    await engine.dispose()


@pytest_asyncio.fixture
async def town(database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """Scored by the small model of the scorer's tests."""
    file = tmp_path / "scoring.yaml"
    file.write_text(MODEL, encoding="utf-8")
    async with _town(database, file) as one:
        yield one


@pytest_asyncio.fixture
async def reference_town(database: str) -> AsyncIterator[Town]:
    """Scored by the model that comes with Leadscore."""
    async with _town(database, REFERENCE) as one:
        yield one
