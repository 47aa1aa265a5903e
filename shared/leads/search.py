"""A part of a name, company, address or id → the leads that have it.

In: text. Out: `Match`, at most as many as asked for. Refuses to be fast: it reads the stored events one by
one, and so finds anonymous ids and what is of nobody, too. Who wants milliseconds asks board.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.ids import NOBODY, LeadId
from shared.leads.portrait import portrait
from shared.leads.store.history import histories
from shared.leads.store.present import decode_state
from shared.scoring.engine.consent import has_objected

# Escaped by `position`: what somebody types is no pattern. Each lead is looked at once, the newest first.
_CANDIDATES: Final = """
SELECT lead, max(received_at) AS newest FROM (
  SELECT coalesce(l.merged_into, l.lead_id) AS lead, e.received_at
  FROM events e JOIN leads l USING (lead_id)
  WHERE position(lower($1) IN lower(convert_from(e.body, 'UTF8'))) > 0
) found GROUP BY lead ORDER BY newest DESC LIMIT $2
"""
_NOBODYS: Final = """
SELECT quarantine AS reason, count(*)::int AS number FROM events
WHERE lead_id = $2
  AND position(lower($1) IN lower(convert_from(body, 'UTF8'))) > 0 GROUP BY 1
"""
_STANDS: Final = "SELECT lead_id, stage, score, grade, state FROM leads WHERE lead_id = ANY($1::uuid[])"
_TRAITS: Final = ("name", "first_name", "last_name", "company")
_LOOKED_AT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A lead that has the text.

    objected: the person objects to being scored
    """

    lead: LeadId
    email: str
    name: str
    company: str
    stage: str
    score: int
    grade: str
    objected: bool


async def search(connection: Any, text: str, most: int) -> list[Match]:
    """The leads that have this text in a name, company, address or id; who was heard of last comes first."""
    rows = await connection.fetch(_CANDIDATES, text, _LOOKED_AT)
    leads = [LeadId(row["lead"]) for row in rows]
    stands = {row["lead_id"]: row for row in await connection.fetch(_STANDS, leads)}
    known = await histories(connection, leads)
    found = []
    for lead in leads:
        person = portrait(known[lead]).person
        if any(text.lower() in value.lower() for value in _texts(person)):
            found.append(_match(lead, person, stands[lead]))
    return found[:most]


async def nobodys(connection: Any, text: str) -> dict[str, int]:
    """How many events with this text belong to nobody, by why."""
    return {row["reason"]: row["number"] for row in await connection.fetch(_NOBODYS, text, NOBODY)}


def _texts(person: Mapping[str, Any]) -> Iterator[str]:
    values = [
        person.get("email"),
        person.get("anonymous_id"),
        person.get("account_id"),
        *person["ids"].values(),
    ]
    values += [person["traits"].get(name) for name in (*_TRAITS, "email")]
    yield from (value for value in values if isinstance(value, str))


def _match(lead: LeadId, person: Mapping[str, Any], stands: Any) -> Match:
    traits = person["traits"]
    whole = traits.get("name") or " ".join(
        str(traits[part]) for part in ("first_name", "last_name") if traits.get(part)
    )
    return Match(
        lead=lead,
        email=person.get("email") or "",
        name=str(whole or ""),
        company=str(traits.get("company") or ""),
        stage=stands["stage"],
        score=stands["score"],
        grade=stands["grade"],
        objected=has_objected(decode_state(stands["state"])),
    )
