"""A town: leads on a real Postgres, counted without Kafka."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.scorer import change_model
from services.scorer.count import BatchCounter
from services.scorer.in_force import ModelsInForce
from shared import database as postgres
from shared.ids import SystemIds
from shared.scoring.file.read import load_model
from tests.scorer.conftest import AUTHOR, MODEL
from tests.scorer.identity.people import RULES, Town


@pytest_asyncio.fixture
async def town(database: str) -> AsyncIterator[Town]:
    engine = postgres.engine(database, application="test", pool_size=4)
    async with postgres.transaction(engine) as connection:
        number = await change_model.draft(connection, ("test", MODEL, {}), AUTHOR)
        await change_model.publish(connection, number, AUTHOR, silent=False)
    counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds())
    yield Town(engine=engine, counter=counter, model=load_model(MODEL, file="test.yaml"))
    await engine.dispose()
