"""Which models score: read in every transaction, built once per version.

In: a connection inside a transaction. Out: the active model, and the shadow model if there is one.
Refuses to mix: until the transaction ends nobody can publish, so one batch is scored by one version and the
next one by the next. A publish needs no restart and no message: the next transaction sees it.

Refuses (`Misconfigured`) to score with a version that this process cannot read: a newer release stored it.
Refuses identity keys other than those with which identifiers are stored, also when they change under it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.scorer import metrics
from services.scorer.board.noted import NotedLeads
from services.scorer.settle import ActiveModel
from services.scorer.store import models
from shared.errors import Misconfigured
from shared.leads.identity_settings import other_keys
from shared.leads.store import models as stored_models
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import load_model
from shared.telemetry import log


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The models of one transaction, and where the leads that it writes are noted for the board."""

    active: ActiveModel
    shadow: ActiveModel | None
    noted: NotedLeads


class ModelsInForce:
    """Reads the versions in force, and keeps the models built from them.

    changed: called when another version scores than before, with its model built
    identity_key: fingerprint of this process's identity keys; None: identifiers are none of its business
    """

    def __init__(self, changed: Callable[[], None] = lambda: None, identity_key: bytes | None = None) -> None:
        self._identity_key = identity_key
        self.noted = NotedLeads()
        self._changed = changed
        self._built: dict[int, Compiled] = {}
        self._told: int | None = None

    async def read(self, connection: Any) -> InForce:
        """The models that score in this transaction; holds them in force until it ends.

        Raises Misconfigured if no version is active or one of them cannot be read.
        """
        current = await models.current(connection)
        if current is None:
            raise Misconfigured(
                "No scoring model is active.", ["`leadscore model publish FILE` makes one active"]
            )
        if self._identity_key and current.identity_key not in {None, self._identity_key}:
            raise other_keys()
        wanted = {current.active} | ({current.shadow} if current.shadow else set())
        self._built = {number: await self._model(connection, number) for number in wanted}
        active = ActiveModel(model=self._built[current.active], version=current.active, silent=current.silent)
        self._tell(active)
        shadow = current.shadow and ActiveModel(model=self._built[current.shadow], version=current.shadow)
        return InForce(active=active, shadow=shadow or None, noted=self.noted)

    async def _model(self, connection: Any, number: int) -> Compiled:
        """The model of this version; building one takes a tenth of a second, so not on the event loop."""
        if number in self._built:
            return self._built[number]
        stored = await stored_models.version(connection, number)
        assert stored is not None, "versions are never deleted"
        return await asyncio.to_thread(
            load_model, stored.content, file=f"version {number}", lists=stored.lists
        )

    def _tell(self, active: ActiveModel) -> None:
        """Say once that another model scores."""
        if active.version == self._told:
            return
        self._told = active.version
        self._changed()
        metrics.MODEL_INFO.clear()
        metrics.MODEL_INFO.labels(model=active.model.name, version=str(active.version)).set(1)
        log("scorer.model_in_force", version=active.version)
