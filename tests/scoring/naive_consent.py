"""Consent and objections, told as plainly as they are defined: each question looks at everything."""

from shared.events import Event
from shared.scoring.definition.purposes import Purpose
from tests.scoring.worlds import OBJECTION_EVENTS


def stamp(event: Event) -> tuple[float, bytes]:
    return event.occurred_at.timestamp(), event.event_id.bytes


def identifiers(event: Event) -> set[object]:
    named = {("device", event.anonymous_id), ("address", (event.email or "").strip().casefold())}
    return {one for one in named if one[1]} or {"nobody"}


def standing_withdrawals(said: list[tuple[Event, bool]]) -> list[Event]:
    """Withdrawals that no later grant with one of their identifiers has lifted."""
    standing: list[Event] = []
    for event, answer in said:
        if not answer:
            standing.append(event)
            continue
        standing = [
            each
            for each in standing
            if each.occurred_at >= event.occurred_at or not identifiers(each) & identifiers(event)
        ]
    return standing


def agrees(purpose: Purpose | None, event: Event, ordered: list[Event]) -> bool:
    """Whether the event may be paid, by all that was said before it, with it, and for ever after it."""
    if purpose is None:
        return True
    said = [
        (each, answer) for each in ordered if (answer := (each.consent or {}).get(purpose.id)) is not None
    ]
    if purpose.withdrawal == "for_ever" and any(
        not answer and stamp(each) > stamp(event) for each, answer in said
    ):
        return False
    until = [(each, answer) for each, answer in said if stamp(each) <= stamp(event)]
    return not standing_withdrawals(until) if until else purpose.unknown == "granted"


def objects(ordered: list[Event]) -> bool:
    said = [(each, each.name == "person.objection_withdrawn") for each in ordered]
    return bool(standing_withdrawals([pair for pair in said if pair[0].name in OBJECTION_EVENTS]))


def counting(ordered: list[Event]) -> list[Event]:
    """What happened since nobody objects any more."""
    found: list[Event] = []
    for position, event in enumerate(ordered):
        found = [] if objects(ordered[: position + 1]) else [*found, event]
    return found
