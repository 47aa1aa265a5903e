"""identities: whose identifier is it.

In: hashed identifiers. Out: who has them. Refuses to overwrite: an identifier that somebody else attached
at the same moment makes the batch start again (`IdentityRace`).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from services.scorer.identify.facts import Held, Recent
from shared.errors import LeadscoreError
from shared.events import OWN_NAMESPACE
from shared.ids import LeadId
from shared.leads.identifiers import Identifier

_READ: Final = """
SELECT i.kind, i.value, i.lead_id, i.first_at, i.status, i.namespace, i.recent
FROM unnest($1::text[], $2::bytea[]) AS wanted (kind, value)
JOIN identities i ON i.kind = wanted.kind AND i.value = wanted.value
"""

_OF_LEADS: Final = """
SELECT kind, value, lead_id, first_at, status, namespace, recent
FROM identities WHERE lead_id = ANY($1::uuid[])
"""

_OF_BEFORE: Final = """
SELECT EXISTS (SELECT FROM identities
  WHERE lead_id = ANY($1::uuid[]) AND namespace IS NULL AND kind <> 'anonymous_id')
"""

_ATTACH: Final = """
INSERT INTO identities (kind, value, lead_id, first_at, status, namespace, recent)
SELECT kind, value, lead_id, first_at, status, namespace, recent::jsonb
FROM unnest($1::text[], $2::bytea[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
  AS n (kind, value, lead_id, first_at, status, namespace, recent)
ON CONFLICT DO NOTHING
"""

_CHANGE: Final = """
UPDATE identities i SET lead_id = n.lead_id, first_at = n.first_at, status = n.status,
  namespace = n.namespace, recent = n.recent::jsonb
FROM unnest($1::text[], $2::bytea[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
  AS n (kind, value, lead_id, first_at, status, namespace, recent)
WHERE i.kind = n.kind AND i.value = n.value
"""

_REMOVE: Final = """
DELETE FROM identities i USING unnest($1::text[], $2::bytea[]) AS n (kind, value)
WHERE i.kind = n.kind AND i.value = n.value
"""


_NAMESPACE: Final = "INSERT INTO identity_namespaces (namespace) VALUES ($1) ON CONFLICT DO NOTHING"


class IdentityRace(LeadscoreError):
    """Another transaction changed the same identities at the same moment: start the batch again."""


class Reading:
    """Who had some identifiers at one moment. Two readings are equal if nothing has changed between them."""

    def __init__(self, asked: Collection[Identifier], rows: Iterable[Any]) -> None:
        self._asked = asked
        self._rows = {(row[0], row[1]): row for row in rows}
        self.leads = {LeadId(row[2]) for row in self._rows.values()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and self._rows == other._rows

    __hash__ = None  # type: ignore[assignment]

    def owners(self) -> dict[Identifier, Held]:
        """Each identifier that somebody had."""
        asked = {(one.kind, one.value): one for one in self._asked}
        return {asked[key]: _held(row) for key, row in self._rows.items()}


async def look(connection: Any, wanted: Iterable[Identifier]) -> Reading:
    """Read who has these identifiers."""
    asked = sorted(wanted)
    return Reading(asked, await connection.fetch(_READ, *_columns(asked)))


async def read(connection: Any, wanted: Iterable[Identifier]) -> dict[Identifier, Held]:
    """Who has these identifiers, as far as somebody has them."""
    return (await look(connection, wanted)).owners()


async def of_leads(connection: Any, leads: Iterable[LeadId]) -> dict[Identifier, Held]:
    """Every identifier of these leads."""
    rows = await connection.fetch(_OF_LEADS, sorted(leads))
    return {stored(row["kind"], row["value"], row["namespace"]): _held(row) for row in rows}


async def any_of_before(connection: Any, leads: Collection[LeadId]) -> bool:
    """Whether one of these leads was grouped by a release of before namespaces: in the order of arrival."""
    return bool(leads) and bool(await connection.fetchval(_OF_BEFORE, sorted(leads)))


async def attach(connection: Any, new: Mapping[Identifier, Held]) -> None:
    """Write identifiers that nobody had.

    Raises IdentityRace if somebody has one of them by now.
    """
    if not new:
        return
    status = await connection.execute(_ATTACH, *_rows(new))
    if int(status.rsplit(" ", 1)[1]) < len(new):
        raise IdentityRace("an identifier was attached by another transaction")


class Namespaces:
    """Keeps identity_namespaces complete, and asks nothing once it knows that a namespace is in there."""

    def __init__(self) -> None:
        self._stored: set[str] = set()

    async def note(self, connection: Any, new: Iterable[Identifier]) -> None:
        """Write the namespaces of these identifiers that are not written yet."""
        for namespace in sorted({one.namespace for one in new if one.namespace} - self._stored):
            status = await connection.execute(_NAMESPACE, namespace)
            if status.endswith(" 0"):  # committed by somebody, and not only written by us
                self._stored.add(namespace)


async def change(connection: Any, changed: Mapping[Identifier, Held]) -> None:
    """Have identifiers be like this."""
    if changed:
        await connection.execute(_CHANGE, *_rows(changed))


async def remove(connection: Any, gone: Collection[Identifier]) -> None:
    """Forget identifiers that others replace."""
    if gone:
        await connection.execute(_REMOVE, *_columns(sorted(gone)))


def stored(kind: Any, value: bytes, namespace: str | None) -> Identifier:
    """The identifier in a row. One of before namespaces is taken for the product's until it is known."""
    return Identifier(kind, value, namespace or (OWN_NAMESPACE if kind == "user_id" else ""))


def _held(row: Any) -> Held:
    _, _, lead, since, status, namespace, recent = row
    return Held(lead, since, status, namespace, msgspec.convert(recent, Recent) if recent else None)


def _columns(ordered: list[Identifier]) -> tuple[list[str], list[bytes]]:
    return [one.kind for one in ordered], [one.value for one in ordered]


def _rows(written: Mapping[Identifier, Held]) -> tuple[list[Any], ...]:
    ordered = sorted(written)
    held = [written[one] for one in ordered]
    return (
        *_columns(ordered),
        [one.lead for one in held],
        [one.since for one in held],
        [one.status for one in held],
        [one.namespace for one in held],
        [one.recent and msgspec.json.encode(one.recent).decode() for one in held],
    )
