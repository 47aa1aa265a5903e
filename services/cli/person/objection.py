"""`leadscore person object <lead> [--withdraw]`: a person objects to being scored, or takes that back.

In: a lead by any address or id; a name and a note for whoever asks later. Out: an event on the events topic,
counted like any other; what became of it. Refuses an objection that stands already, to take back none, and
one that no name of the lead would bring to it.
"""

import asyncio
import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.kafka import producer
from services.cli.lead.show import identity_rules
from services.cli.session import database
from shared import codec
from shared.database import transaction
from shared.errors import Invalid
from shared.events import Event
from shared.ids import LeadId, SystemIds
from shared.kafka import connect
from shared.kafka.publish import Publisher, Record
from shared.leads.find import find, owners
from shared.leads.identifiers import Identifier, IdentityRules
from shared.leads.objection import Named, Said, names, objection, withdrawal
from shared.leads.store.history import histories
from shared.leads.store.present import present
from shared.scoring.engine.consent import has_objected
from shared.settings import KafkaSettings, load

_DEADLINE_S: Final = 10.0
_TAKEN_S: Final = 30.0
_NOW: Final = "SELECT now()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody demands for whom."""

    who: str
    by: str
    note: str
    withdraw: bool


def object_(
    who: Annotated[str, typer.Argument(help="E-mail address, user id, anonymous id or lead id.")],
    *,
    note: Annotated[str, typer.Option(help="How they said so, for whoever asks later.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="They take their objection back.")] = False,
    by: Annotated[str, typer.Option(help="Who; default: the user of this machine.")] = "",
) -> None:
    """Stop scoring a person who objects, or begin again."""
    wish = Wish(who=who, by=by or getpass.getuser(), note=note, withdraw=withdraw)
    typer.echo(asyncio.run(_carried_out(wish)))


async def decide(pool: AsyncEngine, wish: Wish, rules: IdentityRules) -> tuple[LeadId, list[Event]]:
    """The lead that is meant, and the events to send.

    Raises Invalid (`no_such_lead`, `already_objected`, `not_objected`, `nobody_named`).
    """
    async with transaction(pool) as connection:
        lead = await find(connection, wish.who, rules)
        if await _is_done(connection, lead, wish):
            raise _so_already(wish)
        history = (await histories(connection, [lead]))[lead]
        said = Said(by=wish.by, note=wish.note, at=await connection.fetchval(_NOW))
        if wish.withdraw:
            return lead, withdrawal(history, said, SystemIds())
        named = await _its_own(connection, lead, names(history, wish.who), rules)
    if named is None:
        raise Invalid(
            "nobody_named",
            f"no name would bring an objection to {wish.who}: what its events say is somebody else's by "
            f"now, or set aside. `leadscore lead show {lead}` says which; `leadscore lead release` and "
            "`leadscore lead merge` change that",
        )
    return lead, objection(named, said, SystemIds())


async def _its_own(
    connection: Any, lead: LeadId, named: Sequence[Named], rules: IdentityRules
) -> Named | None:
    """The first of these names by which an event comes to this lead.

    An event may name an address that stayed with somebody else, or a device that is now another's.
    """
    identifiers = {one: found for one in named if (found := _identifier(one, rules))}
    leads = await owners(connection, list(identifiers.values()), of_objection=True)
    return next((one for one, found in identifiers.items() if leads.get(found) == lead), None)


def _identifier(named: Named, rules: IdentityRules) -> Identifier | None:
    if named.email:
        return rules.address(named.email)
    if named.user_id and named.namespace:
        return rules.user_id(named.user_id, named.namespace)
    return rules.anonymous_id(named.anonymous_id) if named.anonymous_id else None


async def _is_done(connection: Any, lead: LeadId, wish: Wish) -> bool:
    """Whether the lead stands as is wished."""
    return has_objected((await present(connection, lead)).state) is not wish.withdraw


def _so_already(wish: Wish) -> Invalid:
    if wish.withdraw:
        return Invalid("not_objected", f"{wish.who} does not object. See `leadscore lead show`")
    return Invalid("already_objected", f"{wish.who} objected already. --withdraw takes that back")


async def send(publisher: Publisher, topic: str, events: Sequence[Event]) -> None:
    """Send these like any other event. Raises Transient if Kafka does not acknowledge."""
    records = [
        Record(
            topic=topic,
            key=codec.partition_key(event),
            value=codec.encode(event),
            headers=codec.cloudevent_headers(event),
        )
        for event in events
    ]
    await publisher.publish(records, deadline_s=_DEADLINE_S)


async def _carried_out(wish: Wish) -> str:
    settings = load(KafkaSettings)
    where = connect.connection(settings, "leadscore-person")
    async with database() as pool, producer(where) as publisher:
        rules = identity_rules()
        lead, events = await decide(pool, wish, rules)
        await send(publisher, connect.topics(settings).events, events)
        taken = await _taken(pool, lead, wish, rules)
    what = "is scored again, from now on" if wish.withdraw else "is not scored any more, nor delivered"
    if taken:
        return f"lead {lead} {what}"
    return f"sent; lead {lead} {what} once the scorer has taken this, which it has not in {_TAKEN_S:.0f} s"


async def _taken(pool: AsyncEngine, lead: LeadId, wish: Wish, rules: IdentityRules) -> bool:
    """Whether the scorer has taken these before long, and they came to this lead."""
    deadline = asyncio.get_running_loop().time() + _TAKEN_S
    while asyncio.get_running_loop().time() < deadline:
        async with transaction(pool) as connection:
            if await _is_done(connection, await find(connection, str(lead), rules), wish):
                return True
        await asyncio.sleep(0.1)
    return False
