"""`leadscore dead-letters retry`: send records through the scorer again, as they were.

In: a number, or a code; Kafka from the environment, as the services read it. Out: records on the events
topic, with the same key, bytes and headers; the letters are resolved once every replica has them.
Refuses to resolve what was not acknowledged. Whatever is sent twice counts once: an event that was counted
meanwhile is a duplicate, and a record that fails again is a dead letter of its own, at another offset.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.dead_letters import letters as stored
from services.cli.dead_letters.letters import MOST_NUMBER, Letter
from services.cli.kafka import producer
from services.cli.quiet import quiet
from services.cli.session import database
from shared.database import transaction
from shared.errors import Invalid
from shared.kafka import connect
from shared.kafka.publish import Publisher, Record
from shared.settings import KafkaSettings, load

_PORTION: Final = 100
_DEADLINE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which letters: one by its number, or the oldest of a code, at most so many."""

    number: int | None = None
    code: str = ""
    most: int = 10


def retry(
    number: Annotated[
        int | None,
        typer.Argument(min=1, max=MOST_NUMBER, help="As `leadscore dead-letters list` prints it."),
    ] = None,
    *,
    code: Annotated[str, typer.Option(help="All that have this code, the oldest first.")] = "",
    most: Annotated[
        int, typer.Option(min=1, help="At most so many: more than 20 that fail in a row halt a partition.")
    ] = 10,
) -> None:
    """Send dead letters through the scorer again."""
    if (number is None) == (not code):
        raise Invalid(
            "which_letters", "give either a number or --code, as `leadscore dead-letters list` has it"
        )
    sent, left = asyncio.run(_retried(Wish(number=number, code=code, most=most)))
    typer.echo(f"{sent} sent again" + (f"; {left} more with this code" if left else ""))


async def retry_letters(pool: AsyncEngine, publisher: Publisher, topic: str, wish: Wish) -> tuple[int, int]:
    """Send these to the topic, and resolve them; returns how many, and how many of the code are left.

    Raises Invalid (`no_such_letter`, `already_resolved`), Transient if Kafka does not acknowledge.
    """
    sent = 0
    async for portion in _portions(pool, wish):
        await publisher.publish([_record(each, topic) for each in portion], deadline_s=_DEADLINE_S)
        async with transaction(pool) as connection:
            await stored.resolve(connection, portion)
        sent += len(portion)
    async with transaction(pool) as connection:
        return sent, await stored.number_open(connection, wish.code)


async def _portions(pool: AsyncEngine, wish: Wish) -> AsyncIterator[Sequence[Letter]]:
    """What is wished, some at a time; what fails again meanwhile is not among it."""
    if wish.number is not None:
        yield [await _one(pool, wish.number)]
        return
    async with transaction(pool) as connection:
        newest = await stored.newest(connection)
    left, after = wish.most, 0
    while left:
        async with transaction(pool) as connection:
            portion = await stored.open_of(connection, wish.code, (after, newest), min(left, _PORTION))
        if not portion:
            return
        yield portion
        left, after = left - len(portion), portion[-1].dead_letter_id


async def _one(pool: AsyncEngine, number: int) -> Letter:
    async with transaction(pool) as connection:
        found = await stored.one(connection, number)
    if found is None:
        raise Invalid(
            "no_such_letter", f"there is no dead letter {number}. See `leadscore dead-letters list`"
        )
    if found.resolved_at:
        raise Invalid(
            "already_resolved",
            f"dead letter {number} was sent again already. If that failed, it has another number now",
        )
    return found


def _record(letter: Letter, topic: str) -> Record:
    return Record(topic=topic, key=letter.key, value=letter.value, headers=letter.headers)


async def _retried(wish: Wish) -> tuple[int, int]:
    settings = load(KafkaSettings)
    where = connect.connection(settings, "leadscore-dead-letters")
    with quiet():
        async with database() as pool, producer(where) as publisher:
            return await retry_letters(pool, publisher, connect.topics(settings).events, wish)
