"""Towns where mails are judged, on a real Postgres."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest_asyncio

from services.scorer.count import BatchCounter
from services.scorer.judge.judge import Judge
from services.scorer.judge.thresholds import Thresholds
from services.scorer.models import first_model, model_source
from services.scorer.models.in_force import ModelsInForce
from shared import database as postgres
from shared.ids import SystemIds
from tests.scorer.conftest import MODEL
from tests.scorer.identity.conftest import REFERENCE
from tests.scorer.identity.people import RULES
from tests.scorer.judge.mails import MailTown

LIMITS = Thresholds(
    trap_links=("/do-not-follow",),
    own_networks=(ip_network("192.0.2.0/25"),),
    datacentres=(ip_network("100.64.0.0/16"),),
)


@asynccontextmanager
async def mail_town(database: str, file: Path, limits: Thresholds = LIMITS) -> AsyncIterator[MailTown]:
    engine = postgres.engine(database, application="test", pool_size=5)
    await first_model.ensure_first_model(engine, file)
    judge = Judge(limits, RULES, lambda: frozenset({"freemail.example"}))
    counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds(), judge=judge)
    yield MailTown(engine=engine, counter=counter, model=model_source.read(file).model)
    await engine.dispose()


@pytest_asyncio.fixture
async def town(database: str, tmp_path: Path) -> AsyncIterator[MailTown]:
    """Scored by the small model of the scorer's tests."""
    file = tmp_path / "scoring.yaml"
    file.write_text(MODEL, encoding="utf-8")
    async with mail_town(database, file) as one:
        yield one


@pytest_asyncio.fixture
async def reference_town(database: str) -> AsyncIterator[MailTown]:
    """Scored by the model that comes with Leadscore."""
    async with mail_town(database, REFERENCE) as one:
        yield one
