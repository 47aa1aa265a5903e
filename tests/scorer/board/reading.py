"""The board as it is, and as the leads say it should be."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer.board.keep import BoardKeeper
from shared.database import snapshot, transaction
from shared.ids import LeadId
from shared.leads.board import Card, best
from shared.leads.names import Names, grams, names, searched
from shared.leads.store.history import histories
from tests.scorer.identity.people import Town

_NUMBERS = "lead_id, stage, score, grade, dimensions, last_seen_at, scored_at"


async def shown(engine: AsyncEngine) -> dict[LeadId, Any]:
    """Lead → its numbers, its names, the text it is found by, whether its grams are those of the text."""
    async with snapshot(engine) as connection:
        rows = await connection.fetch(f"SELECT {_NUMBERS} FROM lead_board")
        named = {row["lead_id"]: row for row in await connection.fetch("SELECT * FROM lead_board")}
        made = {row["lead_id"]: row["grams"] for row in await connection.fetch("SELECT * FROM lead_grams")}
    assert made.keys() == named.keys()
    return {
        LeadId(row["lead_id"]): (
            dict(row),
            Names(
                email=named[row["lead_id"]]["email"],
                name=named[row["lead_id"]]["name"],
                company=named[row["lead_id"]]["company"],
                first_source=named[row["lead_id"]]["first_source"],
                last_source=named[row["lead_id"]]["last_source"],
                ids=tuple(named[row["lead_id"]]["ids"]),
            ),
            named[row["lead_id"]]["words"],
            made[row["lead_id"]] == grams(named[row["lead_id"]]["words"]),
        )
        for row in rows
    }


async def as_leads_say(engine: AsyncEngine) -> dict[LeadId, Any]:
    """The same from the leads and their histories."""
    async with snapshot(engine) as connection:
        rows = await connection.fetch(
            f"SELECT {_NUMBERS} FROM leads WHERE merged_into IS NULL AND (known OR stage <> 'visitor')"
        )
        lived = await histories(connection, [row["lead_id"] for row in rows])
    named = {lead: names(history) for lead, history in lived.items()}
    return {
        LeadId(row["lead_id"]): (dict(row), named[row["lead_id"]], searched(named[row["lead_id"]]), True)
        for row in rows
    }


async def walked(engine: AsyncEngine) -> None:
    """Have no walk to be made: what is on the board then comes from what was noted."""
    async with transaction(engine) as connection:
        await connection.execute("UPDATE board_walk SET reached = NULL")


async def agrees(engine: AsyncEngine) -> bool:
    """Whether the board is what the leads say."""
    return await shown(engine) == await as_leads_say(engine)


def keeper(town: Town) -> BoardKeeper:
    """Who keeps the board of this town."""
    return BoardKeeper(database=town.engine, noted=town.counter.models.noted, interval_s=0)


async def cards(engine: AsyncEngine, most: int = 50, **wish: Any) -> list[Card]:
    """What a list shows."""
    async with transaction(engine) as connection:
        return await best(connection, most, **wish)
