"""A town whose board has been compared already: only what is noted is shown."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.scorer.board.reading import walked
from tests.scorer.identity.conftest import town
from tests.scorer.identity.people import Town

__all__ = ["board_town", "town"]


@pytest_asyncio.fixture
async def board_town(town: Town) -> AsyncIterator[Town]:
    await walked(town.engine)
    yield town
