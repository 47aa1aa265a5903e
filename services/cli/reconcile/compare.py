"""One lead as it is stored against what its events and transitions make of it (pure).

In: `Stored`, the model of the lead's version. Out: faults. Refuses to mend.

The state is compared by what it gives: the numbers at the time of the last score and a season later, when
whatever decays has decayed; and by the events and attributes that are in it.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, Final

import msgspec

from services.cli.reconcile.findings import Fault
from services.cli.reconcile.read import Stored, StoredDelivery, StoredTransition
from shared.codec import decode_all
from shared.errors import Invalid
from shared.events import Event
from shared.ids import delivery_id
from shared.leads.store.present import decode_ledger, decode_state
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import is_current, refold
from shared.scoring.engine.score import Standing, standing
from shared.scoring.engine.state import LeadState

_LATER: Final = timedelta(days=90)
_WAITING: Final = ("pending", "claimed")


def compare(stored: Stored, model: Compiled | None) -> tuple[list[Fault], int]:
    """What is off about this lead, and how many counted events it has. model: None: no score is compared."""
    faults = [*_transitions(stored), *_deliveries(stored)]
    if stored.row["merged_into"] is not None:
        if not stored.row["winner_lives"]:
            faults.append(_fault("merged_into", stored, f"merged into {stored.row['merged_into']}"))
        return faults, 0
    faults += [*_ledger(stored), *_counts(stored)]
    try:
        history = decode_all(stored.events)
    except Invalid as error:
        return [*faults, _fault("unreadable_event", stored, error.message)], 0
    if len(history) != stored.row["event_count"]:
        faults.append(_fault("event_count", stored, f"{stored.row['event_count']}, events {len(history)}"))
    if model:
        faults += _score(stored, model, history)
    return faults, len(history)


def _score(stored: Stored, model: Compiled, history: Sequence[Event]) -> Iterator[Fault]:
    """The stored numbers and the stored state, each against the history."""
    row, derived = stored.row, refold(model, history)
    expected = standing(model, derived, row["scored_at"])
    if (row["score"], row["grade"], row["dimensions"]) != numbers(expected):
        kept = f"{row['score']} {row['grade']} {row['dimensions']}"
        yield _fault(
            "score", stored, f"{kept}, events make {expected.total} {expected.grade} {expected.dimensions}"
        )
    state = decode_state(row["state"])
    # One of another layout or of rules of before is refolded when it is next needed: it says nothing wrong.
    if is_current(model, state) and (differs := state_differs(model, state, derived, expected)):
        yield _fault("state", stored, differs)


def state_differs(model: Compiled, state: LeadState, derived: LeadState, expected: Standing) -> str:
    """In what a kept state differs from one that is derived from the history; empty if in nothing."""
    for name in ("events", "first_s", "last_s", "attributes"):
        kept, made = getattr(state, name), getattr(derived, name)
        if kept != made:
            return name if name == "attributes" else f"{name} {kept}, events make {made}"
    for at in (expected.as_of, expected.as_of + _LATER):
        kept, made = standing(model, state, at), standing(model, derived, at)
        if kept != made:
            return f"at {at:%Y-%m-%d} it gives {numbers(kept)}, events make {numbers(made)}"
    return ""


def numbers(found: Standing) -> tuple[int, str, dict[str, int]]:
    """What is shown of a lead: score, grade, dimensions."""
    return found.total, found.grade, found.dimensions


def _counts(stored: Stored) -> Iterator[Fault]:
    """The identifiers that the row says, against those there are.

    A device that became shared may still be counted, until its people are grouped anew.
    """
    row, has = stored.row, stored.identifiers
    emails = sum(one.number for one in has if one.kind == "email")
    devices = [one for one in has if one.kind == "anonymous_id"]
    own = sum(one.number for one in devices if one.status != "shared")
    if row["emails"] != emails:
        yield _fault("lead_counts", stored, f"{row['emails']} addresses, has {emails}")
    if row["known"] != any(one.kind != "anonymous_id" for one in has):
        yield _fault("lead_counts", stored, f"known is {row['known']}")
    if not own <= row["anonymous_ids"] <= sum(one.number for one in devices):
        yield _fault("lead_counts", stored, f"{row['anonymous_ids']} devices, has {own}")
    systems = {one.namespace for one in has if one.kind == "user_id"}
    # A row of before namespaces says only how many.
    said = set(row["namespaces"].split(",")) if row["namespaces"] else set()
    if said != systems and (said or bool(row["user_ids"]) != bool(systems)):
        yield _fault("lead_counts", stored, f"user ids of {sorted(said)}, has {sorted(systems)}")


def _transitions(stored: Stored) -> Iterator[Fault]:
    """Numbered without a gap, each with receipts that add up."""
    numbers = [one.sequence for one in stored.transitions]
    if numbers != list(range(1, len(numbers) + 1)):
        yield _fault("sequence", stored, _short(numbers))
    for one in stored.transitions:
        if one.points != one.score:
            points = "no list" if one.points is None else f"{one.points:g}"
            yield _fault("receipts", stored, f"transition {one.sequence}: {points}, score {one.score}")


def _ledger(stored: Stored) -> Iterator[Fault]:
    """Where the lead stands is where its transitions led."""
    row, made = stored.row, stored.transitions
    last = made[-1].stage if made else "visitor"
    try:
        ledger = decode_ledger(row["ledger"])
    except msgspec.MsgspecError as error:
        yield _fault("ledger", stored, f"it cannot be read: {error}")
        return
    if not row["stage"] == ledger.stage == last:
        yield _fault("ledger", stored, f"row {row['stage']}, ledger {ledger.stage}, transitions {last}")
    elif ledger.sequence != len(made):
        yield _fault("ledger", stored, f"ledger counts {ledger.sequence} transitions, there are {len(made)}")


def _deliveries(stored: Stored) -> Iterator[Fault]:
    """Each planned transition at each of its destinations, and there in order."""
    for one in stored.transitions:
        got = {each.destination for each in stored.deliveries if each.transition_id == one.transition_id}
        yield from _planned(stored, one, got)
    for destination, some in groupby(stored.deliveries, attrgetter("destination")):
        of_it = list(some)
        for each in of_it:
            if each.delivery_id != delivery_id(each.transition_id, destination):
                yield _fault(
                    "delivery_unplanned", stored, f"{destination}: {each.delivery_id} has another id"
                )
        if late := _out_of_order(of_it):
            yield _fault("delivery_order", stored, f"{destination}: {late}")


def _planned(stored: Stored, one: StoredTransition, got: set[str]) -> Iterator[Fault]:
    if one.planned and not one.silent and one.planned_for is None:
        return  # planned before it was kept for whom
    wanted = set(one.planned_for or ())
    if missing := wanted - got:
        yield _fault("delivery_missing", stored, f"transition {one.sequence}: {', '.join(sorted(missing))}")
    if more := got - wanted:
        yield _fault("delivery_unplanned", stored, f"transition {one.sequence}: {', '.join(sorted(more))}")


def _out_of_order(deliveries: Sequence[StoredDelivery]) -> str:
    """How the deliveries of one destination are out of order; empty if they are in order.

    One that was given up may be sent after younger ones: somebody decided so.
    """
    deliveries = [one for one in deliveries if not one.retried]
    for older, newer in pairwise([one for one in deliveries if one.state == "delivered"]):
        if older.finished_at and newer.finished_at and older.finished_at > newer.finished_at:
            return f"{newer.sequence} before {older.sequence}"
    newest = max((one.sequence for one in deliveries if one.state == "delivered"), default=0)
    for one in deliveries:
        if one.state in _WAITING and one.finished_at is None and one.sequence < newest:
            return f"{newest} was delivered while {one.sequence} waits"
    return ""


def _fault(check: str, stored: Stored, seen: str) -> Fault:
    return Fault(check, str(stored.lead), seen)


def _short(numbers: Sequence[Any]) -> str:
    return ", ".join(map(str, numbers[:20])) + (", …" if len(numbers) > 20 else "")
