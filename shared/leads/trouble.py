"""What does not count of a lead, and why: quarantined events, conflicts with others, identifiers set aside.

In: a lead. Out: each of these, with the command that changes it. Refuses to write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.codec import decode
from shared.ids import EventId, LeadId

WHY: Final[Mapping[str, str]] = {
    "two_user_ids": "both have a user id of the same system",
    "too_many_addresses": "one person would have too many addresses",
    "kept_apart": "somebody decided that they are two people",
    "alias": "an alias call names a device that both used",
    "shared_device": "its device serves too many people",
    "suspended_identifier": "its identifier tied a crowd together",
    "nobody": "it names nobody, or a placeholder",
    "user_agent": "a program sent it, no browser; `server: true` on its form or a secret key counts it",
    "webdriver": "a browser that a program drives",
    "honeypot": "a field was filled that people do not see",
    "by_hand": "somebody decided so",
    "apple_privacy": "the mail program opens every mail by itself",
    "trap_link": "a machine clicked: a link that people do not see",
    "own_network": "it came from a network of the company's own",
    "datacentre": "it came from a datacentre",
    "many_links": "a machine clicked: many links of one e-mail at once",
    "several_clients": "machines clicked: many links, each from elsewhere, within a minute",
    "burst": "a machine did it: more in a second than a person can",
    "other_client": "not the person's own click: another network and system, seconds apart",
    "privacy_proxy": "a privacy proxy opened it, whoever reads it",
    "quick_click": "clicked at delivery, and no page was viewed after it",
    "before_open": "clicked before the e-mail was opened, and no page was viewed after it",
    "neighbours": "several recipients of its company clicked in the same seconds",
}

_QUARANTINED: Final = """
SELECT found.*, coalesce(v.signals, '{}') AS signals FROM (
  SELECT e.quarantine AS reason, count(*)::int AS number,
    (array_agg(e.event_id ORDER BY e.occurred_at DESC, e.event_id))[1] AS event
  FROM events e
  WHERE e.lead_id = ANY(ARRAY(SELECT lead_id FROM leads WHERE merged_into = $1) || $1::uuid)
    AND e.quarantine IS NOT NULL GROUP BY 1
) found LEFT JOIN event_verdicts v ON v.event_id = found.event
ORDER BY number DESC, reason
"""
_CONFLICTS: Final = """
SELECT c.reason, c.at, a.lead_id AS one, b.lead_id AS other, e.body
FROM identity_conflicts c
JOIN identities a ON (a.kind, a.value) = (c.one_kind, c.one_value)
JOIN identities b ON (b.kind, b.value) = (c.other_kind, c.other_value)
LEFT JOIN events e USING (event_id)
WHERE a.lead_id <> b.lead_id AND ($1::uuid IS NULL OR a.lead_id = $1 OR b.lead_id = $1)
ORDER BY c.at DESC LIMIT $2
"""
_SET_ASIDE: Final = """
SELECT kind, encode(value, 'hex') AS identifier, status, lead_id FROM identities
WHERE status IN ('shared', 'suspended') AND ($1::uuid IS NULL OR lead_id = $1) ORDER BY 1, 2 LIMIT $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Events that are kept and not counted. event: the newest of them; signals: what speaks against it."""

    reason: str
    number: int
    event: EventId
    signals: Sequence[str] = ()

    @property
    def command(self) -> str:
        """What has the newest of them count."""
        return f"leadscore events release {self.event}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed:
    """Two leads that one event named together.

    event:  its source and name; `named`: the user id and address in it
    """

    one: LeadId
    other: LeadId
    why: str
    at: datetime
    event: str
    named: tuple[str, ...]

    @property
    def command(self) -> str:
        """What makes them one after all."""
        return f"leadscore lead merge {self.one} {self.other}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """An identifier that is not believed."""

    kind: str
    identifier: str
    status: str
    lead: LeadId

    @property
    def command(self) -> str:
        """What makes it believed again."""
        return f"leadscore lead release {self.identifier}"


async def quarantined(connection: Any, lead: LeadId) -> list[Quarantined]:
    """How many of a lead's events are quarantined, by why."""
    return [Quarantined(**dict(row)) for row in await connection.fetch(_QUARANTINED, lead)]


async def disputed(connection: Any, lead: LeadId | None = None, most: int = 100) -> list[Disputed]:
    """Conflicts of this lead, or of all, the newest first."""
    return [_disputed(row) for row in await connection.fetch(_CONFLICTS, lead, most)]


async def set_aside(connection: Any, lead: LeadId | None = None, most: int = 100) -> list[SetAside]:
    """Identifiers of this lead, or of all, that are suspended, and shared devices."""
    return [
        SetAside(
            kind=row["kind"],
            identifier=row["identifier"],
            status=row["status"],
            lead=LeadId(row["lead_id"]),
        )
        for row in await connection.fetch(_SET_ASIDE, lead, most)
    ]


def _disputed(row: Any) -> Disputed:
    event = decode(row["body"]) if row["body"] else None
    named: Sequence[str | None] = (event.user_id, event.email) if event else ()
    return Disputed(
        one=LeadId(row["one"]),
        other=LeadId(row["other"]),
        why=row["reason"],
        at=row["at"],
        event=f"{event.source}: {event.name}" if event else "",
        named=tuple(one for one in named if one),
    )
