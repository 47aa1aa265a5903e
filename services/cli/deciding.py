"""A person decides about people or events, in one transaction, scored at once as a batch would be.

In: what to do with a connection and a counter. Out: what it returned, committed.
Refuses to give up at once: a batch that changed the same people at the same moment is seen by the next try.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from services.cli.lead.show import identity_rules
from services.cli.quiet import quiet
from services.cli.session import database
from services.scorer.board.keep import write_noted
from services.scorer.count import BatchCounter
from services.scorer.identify.limit_settings import LimitSettings
from services.scorer.judge.judge_of import judge_of
from services.scorer.judge.judge_settings import JudgeSettings
from services.scorer.models.in_force import ModelsInForce
from services.scorer.store.identities import IdentityRace
from shared.database import transaction
from shared.ids import SystemIds
from shared.settings import load

Result = TypeVar("Result")


async def decided(decide: Callable[[Any, BatchCounter], Awaitable[Result]]) -> Result:
    """Decide; up to three times, as long as batches are faster.

    Raises IdentityRace if they still are.
    """
    rules = identity_rules()
    judge = judge_of(load(JudgeSettings), rules)
    models = ModelsInForce(identity_key=rules.fingerprint)
    limits = load(LimitSettings).limits()
    counter = BatchCounter(models=models, rules=rules, limits=limits, topic="", ids=SystemIds(), judge=judge)
    with quiet():
        return await _decided(decide, counter)


async def _decided(decide: Callable[[Any, BatchCounter], Awaitable[Result]], counter: BatchCounter) -> Result:
    async with database() as pool:
        for last in (False, False, True):
            try:
                async with transaction(pool) as connection:
                    decision = await decide(connection, counter)
                await write_noted(pool, counter.models.noted)
            except IdentityRace:
                if last:
                    raise
            else:
                return decision
    raise AssertionError("the last try returns or raises")
