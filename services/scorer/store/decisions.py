"""identity_decisions: what somebody decided about two people.

In: decisions. Out: those about some identifiers that still stand.
"""

import json
from collections.abc import Iterable
from typing import Any, Final

from services.scorer.identify.groups import Decision, Verdict
from services.scorer.store.identities import stored
from shared.leads.identifiers import Identifier

_ABOUT: Final = """
SELECT decision_id, verdict, one, other FROM identity_decisions
WHERE undone_at IS NULL AND members && $1::bytea[] ORDER BY decision_id
"""
_MAKE: Final = """
INSERT INTO identity_decisions (verdict, one, other, members, made_by)
VALUES ($1, $2::jsonb, $3::jsonb, $4, $5)
"""
_UNDO: Final = "UPDATE identity_decisions SET undone_at = now() WHERE decision_id = ANY($1::bigint[])"


async def about(connection: Any, identifiers: Iterable[Identifier]) -> list[Decision]:
    """The decisions in which one of these identifiers is."""
    rows = await connection.fetch(_ABOUT, sorted({one.value for one in identifiers}))
    return [
        Decision(
            number=row["decision_id"],
            verdict=row["verdict"],
            one=_side(row["one"]),
            other=_side(row["other"]),
        )
        for row in rows
    ]


async def make(
    connection: Any, verdict: Verdict, one: Iterable[Identifier], other: Iterable[Identifier], made_by: str
) -> None:
    """Decide. The opposite of it that was decided about the same two people before is undone."""
    one, other = sorted(one), sorted(other)
    before = await about(connection, [*one, *other])
    opposite = [
        each.number for each in before if each.verdict != verdict and _same_two(each, {*one}, {*other})
    ]
    await connection.execute(_UNDO, opposite)
    await connection.execute(
        _MAKE, verdict, _json(one), _json(other), [each.value for each in (*one, *other)], made_by
    )


def _same_two(decision: Decision, one: set[Identifier], other: set[Identifier]) -> bool:
    straight = decision.one & one and decision.other & other
    return bool(straight or (decision.one & other and decision.other & one))


def _json(side: list[Identifier]) -> str:
    return json.dumps(
        [{"kind": one.kind, "value": one.value.hex(), "namespace": one.namespace} for one in side]
    )


def _side(side: list[dict[str, str]]) -> frozenset[Identifier]:
    return frozenset(stored(one["kind"], bytes.fromhex(one["value"]), one["namespace"]) for one in side)
