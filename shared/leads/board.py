"""The best leads, of a stage or with a part of a name, company, address or id: for lists, in milliseconds.

In: a stage, a text, how many. Out: `Card`s, the best score first. Refuses to know better than the board: it
is about a second behind, later while the scorer has much to do, and a score is as of when it was last
written (it decays since; the sweep writes a lead anew when that moves it).

A text that many leads have is found from the top; one that few have, by its grams.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.ids import LeadId
from shared.leads.names import normal, wanted

_CARD: Final = (
    "b.lead_id, b.email, b.name, b.company, b.stage, b.score, b.grade, b.dimensions, b.owner, "
    "b.first_source, b.last_source, b.last_seen_at, b.scored_at"
)
_BEST: Final = f"SELECT {_CARD} FROM lead_board b ORDER BY b.score DESC, b.lead_id LIMIT $1"  # noqa: S608 - constants
_BEST_OF_STAGE: Final = f"""
SELECT {_CARD} FROM lead_board b WHERE b.stage = $2 ORDER BY b.score DESC, b.lead_id LIMIT $1
"""  # noqa: S608 - as above
# What somebody types is no pattern: `position`; up to two characters are the start of a word.
_HAS: Final = "CASE WHEN $4 THEN b.words ~ ('\\m' || $3) ELSE position($3 IN b.words) > 0 END"
_AMONG_THE_BEST: Final = f"""
SELECT {_CARD} FROM (
  SELECT * FROM lead_board WHERE $2::text IS NULL ORDER BY score DESC, lead_id LIMIT $5
) b WHERE {_HAS} ORDER BY b.score DESC, b.lead_id LIMIT $1
"""  # noqa: S608 - as above
_AMONG_THE_BEST_OF_STAGE: Final = _AMONG_THE_BEST.replace("$2::text IS NULL", "stage = $2")
_FROM_THE_TOP: Final = f"""
SELECT {_CARD} FROM lead_board b WHERE $2::text IS NULL AND {_HAS} ORDER BY b.score DESC, b.lead_id LIMIT $1
"""  # noqa: S608 - as above
_FROM_THE_TOP_OF_STAGE: Final = _FROM_THE_TOP.replace("$2::text IS NULL", "b.stage = $2")
# With how many there are in any case, found or not: as many as allowed means that there may be more, and then
# none is looked up.
_BY_GRAMS: Final = f"""
WITH few AS MATERIALIZED (SELECT lead_id FROM lead_grams WHERE grams @> $6::int[] LIMIT $5)
SELECT looked_at.number, found.* FROM (SELECT count(*) AS number FROM few) looked_at LEFT JOIN (
  SELECT {_CARD} FROM few JOIN lead_board b USING (lead_id)
  WHERE (SELECT count(*) FROM few) < $5 AND ($2::text IS NULL OR b.stage = $2) AND {_HAS}
  ORDER BY b.score DESC, b.lead_id LIMIT $1
) found ON true
"""  # noqa: S608 - as above
_AT_THE_TOP: Final = 1_000
_FEW: Final = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One lead as a list shows it; numbers as of `scored_at`. owner: nobody has one yet."""

    lead: LeadId
    email: str
    name: str
    company: str
    stage: str
    score: int
    grade: str
    dimensions: Mapping[str, int]
    owner: str | None
    first_source: str
    last_source: str
    last_seen_at: datetime
    scored_at: datetime


async def best(connection: Any, most: int, *, stage: str | None = None, text: str = "") -> list[Card]:
    """The leads with the best scores: of all, of a stage, of those that have a text.

    text:  a part of a name, company, address or id in any case; of one or two characters: the start of a word
    """
    sought = normal(text)
    if not sought:
        rows = await (
            connection.fetch(_BEST_OF_STAGE, most, stage) if stage else connection.fetch(_BEST, most)
        )
    else:
        rows = await _search(connection, most, stage, sought)
    return [_card(row) for row in rows]


async def _search(connection: Any, most: int, stage: str | None, sought: str) -> Sequence[Any]:
    """At the top, if many have it; by grams, if few do; else from the top down until there are enough.

    What is found at the top costs as much as is looked at, what is found by grams as much as there is of it.
    """
    short = len(sought) < 3
    if short and not sought.isalnum():
        return ()
    among = _AMONG_THE_BEST_OF_STAGE if stage else _AMONG_THE_BEST
    asked = (most, stage, sought, short)
    rows: Sequence[Any] = await connection.fetch(among, *asked, _AT_THE_TOP)
    if len(rows) == most:
        return rows
    found = await connection.fetch(_BY_GRAMS, *asked, _FEW, wanted(sought))
    if found[0]["number"] < _FEW:
        return [row for row in found if row["lead_id"]]
    rows = await connection.fetch(_FROM_THE_TOP_OF_STAGE if stage else _FROM_THE_TOP, *asked)
    return rows  # noqa: RET504 - it says what it is


def _card(row: Any) -> Card:
    values = {name: value for name, value in row.items() if name != "number"}
    return Card(lead=LeadId(values.pop("lead_id")), **values)
