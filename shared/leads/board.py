"""The best leads, of a stage or with a part of a name, company, address or id: for lists, in milliseconds.

In: a stage, a text, how many. Out: `Card`s, the best score first. Refuses to know better than the board: it
is about a second behind, later while the scorer has much to do, and a score is as of when it was last
written (it decays since; the sweep writes a lead anew when that moves it).

A text that many leads have is found among the best, from the top; one that few have, by its grams.
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
_HAS: Final = "CASE WHEN $5 THEN w.words ~ ('\\m' || $3) ELSE position($3 IN w.words) > 0 END"
_AMONG_THE_BEST: Final = f"""
SELECT {_CARD} FROM (
  SELECT * FROM lead_board WHERE $2::text IS NULL OR stage = $2 ORDER BY score DESC, lead_id LIMIT $4
) b JOIN LATERAL (SELECT words FROM lead_words WHERE lead_id = b.lead_id OFFSET 0) w ON true
WHERE {_HAS} ORDER BY b.score DESC, b.lead_id LIMIT $1
"""  # noqa: S608 - as above
_AMONG_THE_BEST_OF_STAGE: Final = _AMONG_THE_BEST.replace("$2::text IS NULL OR stage = $2", "stage = $2")
_BY_GRAMS: Final = f"""
SELECT {_CARD} FROM (
  SELECT w.lead_id FROM lead_words w WHERE w.grams @> $4::int[] AND {_HAS}
) found JOIN lead_board b USING (lead_id) WHERE $2::text IS NULL OR b.stage = $2
ORDER BY b.score DESC, b.lead_id LIMIT $1
"""  # noqa: S608 - as above
_LOOKED_AT: Final = 2_000


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
    short = len(sought) < 3
    if short and not sought.isalnum():
        return ()
    among = _AMONG_THE_BEST_OF_STAGE if stage else _AMONG_THE_BEST
    rows: Sequence[Any] = await connection.fetch(among, most, stage, sought, _LOOKED_AT, short)
    if len(rows) < most:
        rows = await connection.fetch(_BY_GRAMS, most, stage, sought, wanted(sought), short)
    return rows


def _card(row: Any) -> Card:
    values = dict(row)
    return Card(lead=LeadId(values.pop("lead_id")), **values)
