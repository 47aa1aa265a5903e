"""`leadscore events quarantine`, `release`: a person decides whether an event counts.

In: an event's id. Out: its lead, scored anew, in one transaction.
Refuses what services/scorer/people/decide_events.py refuses.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import typer

from services.cli.deciding import decided
from services.scorer.count import BatchCounter
from services.scorer.people.decide_events import EventDecider
from services.scorer.store.histories import By
from shared.errors import Invalid
from shared.ids import EventId, LeadId

Event = Annotated[str, typer.Argument(help="The event's id, as `leadscore events list` prints it.")]
Name = Annotated[str, typer.Option("--by", help="Who; default: the user of this machine.")]


def quarantine(
    event: Event,
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.")],
    by: Name = "",
) -> None:
    """Have an event not count: the points that it gave are taken back."""
    lead = _decided(By(name=by or getpass.getuser(), note=reason), EventDecider.quarantine, event)
    typer.echo(f"the event does not count any more; lead {lead} is scored anew")


def release(
    event: Event,
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.")] = "",
    by: Name = "",
) -> None:
    """Have a quarantined event count, for whom it names."""
    lead = _decided(By(name=by or getpass.getuser(), note=reason), EventDecider.release, event)
    typer.echo(f"the event counts for lead {lead}")


def _decided(by: By, decide: Callable[[EventDecider, EventId], Awaitable[LeadId]], text: str) -> LeadId:
    event = _id(text)

    async def with_counter(connection: Any, counter: BatchCounter) -> LeadId:
        return await decide(EventDecider(connection=connection, counter=counter, by=by), event)

    return asyncio.run(decided(with_counter))


def _id(text: str) -> EventId:
    try:
        return EventId(UUID(text))
    except ValueError as error:
        raise Invalid("not_an_event_id", f"{text} is no event's id. See `leadscore events list`") from error
