"""A regroup that breaks our code is put off: it loses no event, and holds nobody else up."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.scorer.models.in_force import InForce
from services.scorer.report import Report
from services.scorer.store.events import Row
from shared.ids import LeadId
from tests.books import balanced
from tests.scorer.conftest import Scorer, World, event
from tests.waiting import until

pytestmark = pytest.mark.asyncio


def breaking(scorer: Scorer, *, times: int) -> None:
    """Have the next regroups of this scorer fail as only a fault of ours fails."""
    counter = scorer.consumer.counter
    left, works = times, counter.regroup

    async def regroup(
        connection: Any,
        in_force: InForce,
        start: Sequence[LeadId],
        *,
        rescore: bool = False,
        taken: Row | None = None,
    ) -> Report:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ZeroDivisionError
        return await works(connection, in_force, start, rescore=rescore, taken=taken)

    counter.regroup = regroup  # type: ignore[method-assign]


async def conflicting(world: World, number: int) -> None:
    """Two users of the product with one address, the first of them told late: that asks for a regroup."""
    await world.send(
        [
            event(f"b{number}", user_id=f"b{number}", email=f"x{number}@x.example"),
            event(f"a{number}", user_id=f"a{number}", email=f"x{number}@x.example"),
        ]
    )


async def test_a_broken_regroup_costs_no_event(world: World) -> None:
    """The batch is committed and stays so: nothing is counted again, nothing is a dead letter."""
    scorer = world.scorer()
    breaking(scorer, times=1)
    await conflicting(world, 1)
    await scorer.start()
    books = await world.until_taken(2)
    await world.send([event("later", user_id="c")])
    books = await world.until_taken(3)
    assert balanced(books)
    assert (books["counted"], books["duplicate"], books["dead_lettered"]) == (3, 0, 0)


async def test_a_broken_regroup_is_put_off(world: World) -> None:
    """Others go on at once; the one that broke is tried again in an hour."""
    scorer = world.scorer()
    breaking(scorer, times=1)
    await conflicting(world, 1)
    await scorer.start()
    await world.until_taken(2)
    await conflicting(world, 2)
    await world.until_taken(4)

    async def left() -> list[bool]:
        rows = await world.fetch("SELECT requested_at > now() AS later FROM regroups")
        return [row["later"] for row in rows]

    async def one_is_put_off() -> bool:
        return await left() == [True]

    async def none_is_left() -> bool:
        await scorer.consumer.regroup.work_off()
        return await left() == []

    await until(one_is_put_off)
    await world.fetch("UPDATE regroups SET requested_at = now() RETURNING 1")
    await until(none_is_left)
