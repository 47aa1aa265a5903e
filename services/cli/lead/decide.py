"""`leadscore lead merge`, `unmerge`, `split-device`, `release`: a person decides who is who.

In: leads by any address or id, devices by their anonymous id. Out: changed leads, in one transaction, scored.
Refuses what services/scorer/people/decide.py refuses.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from services.cli.deciding import decided
from services.scorer.count import BatchCounter
from services.scorer.people.decide import Decider
from shared.errors import Invalid
from shared.leads.find import find, spellings
from shared.leads.identifiers import Identifier, IdentityRules

Lead = Annotated[str, typer.Argument(help="E-mail address, user id, anonymous id or lead id.")]
By = Annotated[str, typer.Option(help="Who; default: the user of this machine.")]

_STORED: Final = """
SELECT kind, value, namespace FROM identities
WHERE kind IN ('user_id', 'email', 'anonymous_id') AND value = $1
"""


def merge(lead: Lead, other: Lead, *, by: By = "") -> None:
    """Make two leads one person, now and for whatever comes later."""

    async def decide(decider: Decider, rules: IdentityRules) -> str:
        one, two = [await find(decider.connection, each, rules) for each in (lead, other)]
        await decider.one_person(one, two)
        return f"{lead} and {other} are one lead: {await find(decider.connection, lead, rules)}"

    _carry_out(decide, by)


def unmerge(lead: Lead, *, by: By = "") -> None:
    """Take out of a lead the person, else the visitor, merged with it last; or a merged lead by its id."""

    async def decide(decider: Decider, rules: IdentityRules) -> str:
        whom = await _as_given(decider.connection, lead) or await find(decider.connection, lead, rules)
        return f"lead {await decider.two_people(whom)} is its own again; destinations are told"

    _carry_out(decide, by)


def split_device(
    device: Annotated[str, typer.Argument(help="The device's anonymous id, as it was sent.")], *, by: By = ""
) -> None:
    """Have a device's anonymous events belong to nobody: a tablet at a fair, a terminal in a shop."""

    async def decide(decider: Decider, rules: IdentityRules) -> str:
        named = rules.anonymous_id(device)
        if named is None:
            raise Invalid("placeholder", f"{device} is a placeholder: it identifies no device already")
        number = await decider.nobodys_device(named)
        return f"the device is shared; {number} anonymous events of the past belong to nobody now"

    _carry_out(decide, by)


def release(
    identifier: Annotated[str, typer.Argument(help="As it was sent, or as `lead conflicts` names it.")],
    *,
    by: By = "",
) -> None:
    """Believe a suspended identifier or a shared device again."""

    async def decide(decider: Decider, rules: IdentityRules) -> str:
        last: Invalid | None = None
        for one in await _meant(decider.connection, identifier, rules):
            try:
                return f"it counts again, with {await decider.believe(one)} events of the past"
            except Invalid as error:
                last = error
        raise last or Invalid("not_set_aside", f"{identifier} is a placeholder, or nobody has it")

    _carry_out(decide, by)


def _carry_out(decide: Callable[[Decider, IdentityRules], Awaitable[str]], by: str) -> None:
    async def with_counter(connection: Any, counter: BatchCounter) -> str:
        decider = Decider(connection=connection, counter=counter, made_by=by or getpass.getuser())
        return await decide(decider, counter.rules)

    typer.echo(asyncio.run(decided(with_counter)))


async def _as_given(connection: Any, text: str) -> Any:
    """The lead with this very id, merged away or not; None if it is no lead's id."""
    try:
        lead = UUID(text)
    except ValueError:
        return None
    return await connection.fetchval("SELECT lead_id FROM leads WHERE lead_id = $1", lead)


async def _meant(connection: Any, text: str, rules: IdentityRules) -> list[Identifier]:
    """What this may name: a stored identifier by its hash, or one as it was sent."""
    try:
        rows = await connection.fetch(_STORED, bytes.fromhex(text))
    except ValueError:
        rows = []
    if rows:
        return [Identifier(row["kind"], row["value"], row["namespace"] or "") for row in rows]
    return [one for group in await spellings(connection, text, rules) for one in group]
