"""The first model of a new installation comes from a file.

In: the path of a scoring.yaml. Out: an active version, if there was none.
Refuses (`Misconfigured`) a file with mistakes, all of them told. Once a version is active the file decides
nothing any more, because a restart must not change the score: `leadscore model publish` does.
"""

from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer.models import change_model, model_source
from services.scorer.models.model_source import ModelSource
from services.scorer.store import models
from services.scorer.store.models import Author
from shared.database import transaction
from shared.errors import Misconfigured
from shared.leads.store import models as stored_models
from shared.leads.store.models import StoredModel
from shared.telemetry import log


async def ensure_first_model(database: AsyncEngine, file: Path) -> None:
    """Publish the model in this file unless a version is active; tell if the two differ."""
    async with transaction(database) as connection:
        active = await stored_models.active(connection)
    if active is None:
        # Read while no transaction is open: on a busy machine it takes longer than one may stand idle.
        source = model_source.read(file)
        async with transaction(database) as connection:
            active = await _publish_source(connection, source)
    if active is not None:
        _compare(active, file)


async def _publish_source(connection: Any, source: ModelSource) -> StoredModel | None:
    """Publish the model that was read; if another scorer was faster, the version it made active."""
    # Only now, because whoever scores under an active version would have to be waited for.
    await models.hold(connection)
    if active := await stored_models.active(connection):
        return active
    author = Author(name="scorer", note="the first model")
    content = (source.model.name, source.text, source.lists)
    number = await change_model.draft(connection, content, author)
    await change_model.publish(connection, number, author, silent=False)
    return None


def _compare(active: StoredModel, file: Path) -> None:
    """Somebody who edited the file and restarted would wonder why nothing happens."""
    try:
        source = model_source.read(file)
    except Misconfigured:
        log("scorer.model_file_unused", level="warning", active=active.version, reason="it has mistakes")
        return
    if (source.text, dict(source.lists)) != (active.content, dict(active.lists)):
        log("scorer.model_file_unused", level="warning", active=active.version, reason="not published")
