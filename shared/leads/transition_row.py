"""A stage transition as the scorer hands it to the router: one row of `transitions`, and how it wakes it.

In: the row. Out: `TransitionRow`. Refuses (`Invalid`) a row whose JSON is not what the scorer promises:
such a transition becomes a visible dead letter and does not hold up its neighbours.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from shared.errors import Invalid
from shared.ids import LeadId, TransitionId

CHANNEL: Final = "leadscore_transitions"
"""Postgres notifies here when a transition is committed; the router's polling is the truth."""

ABOUT_OBJECTION: Final = frozenset({"objected", "objection_withdrawn"})
"""Causes of rows that tell of an objection: both their stages are the same."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that knows its zone."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule contributed to the score.

    points:   after limits and decay; the receipts of a transition add up to its score
    count:    events that it counted
    last_at:  when the newest of them happened, None for a rule about the profile
    event_ids: the newest of them, at most three
    """

    rule: str
    dimension: str
    points: int
    group: str = ""
    sentence_en: str = ""
    sentence_de: str = ""
    count: int = 0
    last_at: Moment | None = None
    event_ids: tuple[str, ...] = ()


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who the lead is, as far as it is known.

    user_id: of the company's own product; `ids`: of each system that has one, by namespace
    """

    email: str | None = None
    user_id: str | None = None
    ids: dict[str, str] = {}
    anonymous_id: str | None = None
    account_id: str | None = None
    traits: dict[str, Any] = {}


class TransitionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a lead from stage to stage.

    sequence:           counts the lead's transitions from 1; the order of its deliveries
    cause:              what made it happen, in the scorer's words
    attribution:        `first` and `last` touch, may be empty
    consent:            purpose → granted; None if nobody asked
    event_received_at:  when ingest got the event behind it; None if time alone was the cause
    other_leads:        of cause `unmerged`: leads that were one with this one until now
    corrected:          of cause `corrected`: why events that were counted do not count
    """

    transition_id: TransitionId
    lead_id: LeadId
    sequence: int
    previous_stage: str
    stage: str
    cause: str
    at: Moment
    score: int
    grade: str
    dimensions: dict[str, int]
    receipts: list[Receipt]
    person: Person
    attribution: dict[str, dict[str, Any]]
    consent: dict[str, bool] | None
    model_version: int
    event_received_at: Moment | None
    other_leads: list[LeadId] = []
    corrected: list[str] = []


def read(row: Mapping[str, Any]) -> TransitionRow:
    """The transition in this row (our pool decodes jsonb).

    Raises Invalid (`not_a_transition`); the message names the place, never its content.
    """
    try:
        return msgspec.convert(
            {field: row[field] for field in TransitionRow.__struct_fields__}, TransitionRow
        )
    except msgspec.MsgspecError as error:
        raise Invalid(
            "not_a_transition", f"a row of transitions is not what the scorer promises: {error}"
        ) from error
