"""Rows 27 and 28 of the fault matrix: a rolling restart under load, another model while everything flows."""

import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from services.scorer.models import change_model
from shared import database as postgres
from shared.codec import decode_all
from shared.ids import LeadId
from shared.leads.store.history import stored_histories
from shared.scoring.engine.score import score
from shared.scoring.file.read import load_model
from tests.faults.aftermath import all_is_well, bodies, told_twice
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.traffic import Traffic, flowing, visit
from tests.faults.watching import counted_more
from tests.installation import Installation
from tests.scorer.conftest import AUTHOR, MODEL

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(240 + 120 * ROUNDS)]

DRAIN_S: Final = 15.0


@pytest.mark.slow
@pytest.mark.fault(27, "a rolling restart under load")
async def test_row_27_rolling_restart(leadscore: Installation, chance: Random, row: Row) -> None:
    """Every process ends in order within its time, whatever it does just then; nothing is told twice."""
    await leadscore.start()
    other = leadscore.another_scorer()
    await other.start()
    worst_s = 0.0
    async with flowing(leadscore, chance) as traffic:
        for _ in range(ROUNDS):
            everybody = [*leadscore.services.values(), other]
            for service in chance.sample(everybody, len(everybody)):
                await counted_more(leadscore, chance.randrange(20, 200))
                began = time.monotonic()
                code = await service.stop()
                worst_s = max(worst_s, time.monotonic() - began)
                assert code == 0, f"{service.name}: {code}, {service.log.read_text()[-2000:]}"
                await service.start()
    row.note(restarts=4 * ROUNDS, longest_drain_s=worst_s, told=len(leadscore.receiver.hits))
    books = await all_is_well(row, leadscore, traffic)
    assert worst_s <= DRAIN_S
    assert told_twice(leadscore) == 0
    assert books["duplicate"] <= traffic.repeated


PEOPLE: Final = 1_500


def model(points: int) -> str:
    """The model of the scorer's tests, with other points for a form: enough for the line, or not."""
    return MODEL.replace("points: 30", f"points: {points}")


async def publish(leadscore: Installation, text: str) -> None:
    """Make this the model that scores; its moves are recorded and told nobody."""
    engine = postgres.engine(leadscore.database, application="test", pool_size=1)
    async with postgres.transaction(engine) as connection:
        number = await change_model.draft(connection, ("test", text, {}), AUTHOR)
        await change_model.publish(connection, number, AUTHOR, silent=True)
    await engine.dispose()


async def put_in_the_shadow(leadscore: Installation, text: str) -> int:
    """Have this model score beside the active one; returns its version."""
    engine = postgres.engine(leadscore.database, application="test", pool_size=1)
    async with postgres.transaction(engine) as connection:
        number = await change_model.draft(connection, ("shadow", text, {}), AUTHOR)
        version = (await change_model.shadow(connection, number, AUTHOR)).version
    await engine.dispose()
    return version


@pytest.mark.slow
@pytest.mark.fault(28, "the model changes during its own walk and traffic")
async def test_row_28_the_model_changes(
    leadscore: Installation, chance: Random, row: Row, tmp_path: Path
) -> None:
    """What a silent publish moves is told nobody, what is told is told once; the shadow equals its refold."""
    file = tmp_path / "first.yaml"
    file.write_text(model(30))
    scorers = [leadscore.scorer, leadscore.another_scorer()]
    for each in scorers:
        each.environment = {**each.environment, "LEADSCORE_SCORER_MODEL_FILE": str(file)}
    await leadscore.start()
    await scorers[1].start()
    many = partial(visit, people=PEOPLE)
    before = Traffic(leadscore, chance, make=many, prefix="before")
    await before.send(2_000)
    shadow = model(55)
    async with flowing(leadscore, chance, make=many) as traffic:
        version = await put_in_the_shadow(leadscore, shadow)
        for points in chance.sample(range(1, 54), 3 * ROUNDS):
            await publish(leadscore, model(points))
            await counted_more(leadscore, chance.randrange(1, 200))
    await all_is_well(row, leadscore, before, traffic)
    silent = await leadscore.fetch("SELECT count(*)::int AS n FROM transitions WHERE silent")
    row.note(publishes=3 * ROUNDS, silent_moves=silent[0]["n"], told=len(leadscore.receiver.hits))
    assert silent[0]["n"] > 0
    assert await leadscore.fetch(_TOLD_ALL_THE_SAME) == []
    assert told_twice(leadscore) == 0
    moves = [(one["data"]["lead"], one["data"]["sequence"]) for one in bodies(leadscore)]
    assert len(moves) == len(set(moves))
    assert await _shadows_that_differ(leadscore, version, shadow) == {}


_TOLD_ALL_THE_SAME: Final = "SELECT 1 FROM deliveries JOIN transitions USING (transition_id) WHERE silent"
_SHADOWS: Final = """
SELECT s.lead_id, s.model_version, s.score, s.scored_at, l.lead_id IS NOT NULL AS there
FROM leads l FULL JOIN shadow_leads s USING (lead_id) WHERE l.merged_into IS NULL
"""


async def _shadows_that_differ(leadscore: Installation, version: int, text: str) -> dict[Any, Any]:
    """Leads whose shadow is missing, or not what their events make under the shadow model."""
    compiled = load_model(text, file="shadow")
    shadows = {row["lead_id"]: row for row in await leadscore.fetch(_SHADOWS)}
    engine = postgres.engine(leadscore.database, application="test", pool_size=1)
    async with postgres.transaction(engine) as connection:
        histories = await stored_histories(connection, [LeadId(lead) for lead in shadows if lead])
    await engine.dispose()
    differ: dict[Any, Any] = {lead: row for lead, row in shadows.items() if not (lead and row["there"])}
    for lead, events in histories.items():
        row = shadows[lead]
        made = score(compiled, decode_all(events), row["scored_at"]).total
        if (row["model_version"], row["score"]) != (version, made):
            differ[lead] = (dict(row), made)
    return differ
