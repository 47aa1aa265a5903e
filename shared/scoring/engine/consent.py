"""What a person agreed to, purpose by purpose, and whether they objected to being scored at all.

In: what was said so far, an event. Out: a `Verdict`: what holds when it occurred, and what that takes back.
Refuses (None) what came too late to tell: then the lead's other events are needed (docs/decisions/0010).

Consent is a timeline: what the event itself says holds for it, else what was said last before it, else what
the model says of those who were never asked. A withdrawal stands until a grant that shares a user id, an
address or a device with it and happened later. So the withdrawal wins where two people turn out to be one.

An objection is a withdrawal, for ever, of a purpose that everything needs.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import astuple, replace

from shared.events import PERSON_OBJECTED, PERSON_OBJECTION_WITHDRAWN, Event, default_namespace
from shared.scoring.definition.conditions import fold_case
from shared.scoring.definition.purposes import Purpose
from shared.scoring.engine.state import LeadState, PurposeState, Stamp, StandingWithdrawal

MOST_WITHDRAWALS: Final = 20
"""How many withdrawals of different people and devices are told apart; the newest ones stand"""

OBJECTION: Final = ""
"""The key under which an objection is kept; no purpose has this name"""

OBJECTION_EVENTS: Final = frozenset({PERSON_OBJECTED, PERSON_OBJECTION_WITHDRAWN})

Kept = Mapping[str, PurposeState]
"""Purpose → what is kept about it; under `OBJECTION` what is kept about an objection"""

Moment = tuple[Event, Stamp]
"""An event, and when it occurred"""

_HASH_BYTES: Final = 8
_NEVER: Final[Stamp] = (float("-inf"), b"")
_UNSAID: Final = PurposeState()
_OBJECTING: Final = Purpose(id=OBJECTION, label={}, withdrawal="for_ever", unknown="granted")
_NONE: Final[frozenset[str]] = frozenset()


class Verdict(NamedTuple):
    """What holds for one event.

    kept:     what is kept with it
    counts:   False: neither rules nor the profile learn of it, because of an objection
    cleared:  whatever was learned before is forgotten
    refused:  purposes that its person does not agree to
    emptied:  purposes of which everything that was paid before is taken back
    """

    kept: Kept
    counts: bool = True
    cleared: bool = False
    refused: frozenset[str] = _NONE
    emptied: frozenset[str] = _NONE


def has_objected(state: LeadState) -> bool:
    """Whether the person objects now."""
    if not state.consent:  # nearly always, and asked for every event
        return False
    kept = state.consent.get(OBJECTION)
    return kept is not None and bool(kept.withdrawals)


def objected_since(state: LeadState) -> datetime | None:
    """Since when the person objects; None if it does not."""
    since = state.consent[OBJECTION].since if has_objected(state) else None
    return datetime.fromtimestamp(since[0], UTC) if since else None


def is_left_out(state: LeadState, event: Event) -> bool:
    """Whether an objection leaves this event out: it stands, or the event is not from after its end."""
    if not state.consent:
        return False
    kept = state.consent.get(OBJECTION, _UNSAID)
    return not _counts(kept, (event.occurred_at.timestamp(), event.event_id.bytes))


def is_granted(purpose: Purpose, kept: Kept) -> bool:
    """Whether the person agrees now."""
    return _granted(purpose, kept.get(purpose.id, _UNSAID))


def consider(
    purposes: Mapping[str, Purpose],
    kept: Kept,
    moment: Moment,
    met: Collection[str],
    newest_s: float = float("-inf"),
) -> Verdict | None:
    """What holds for this event.

    purposes:  those that rules need
    met:       purposes of the rules that it concerns
    newest_s:  when the newest event known so far occurred
    """
    event, stamp = moment
    objecting = _after_objection(kept, moment, newest_s)
    if objecting is None:
        return None
    counts, cleared, after = objecting
    if cleared:
        after = {name: _forgotten(name, each) for name, each in after.items()}
    said = event.consent or {}
    refused, emptied = _NONE, _NONE
    for name, purpose in purposes.items():
        if name not in met and name not in said:
            continue
        before = after.get(name, _UNSAID)
        heard = _hear(purpose, before, moment, answer=said.get(name))
        if heard is None:
            return None
        granted, now = heard
        if before.counted and not now.counted:
            emptied |= {name}
        if not granted:
            refused |= {name}
        if counts and name in met:
            now = _counted(now, stamp, granted=granted)
        if now is not before:
            after = {**after, name: now}
    return Verdict(after, counts, cleared, refused, emptied)


def _after_objection(kept: Kept, moment: Moment, newest_s: float) -> tuple[bool, bool, Kept] | None:
    """Whether the event counts, whether everything before is forgotten, what is kept."""
    event, stamp = moment
    before = kept.get(OBJECTION, _UNSAID)
    if event.name not in OBJECTION_EVENTS:
        return _counts(before, stamp), False, kept
    if stamp[0] <= newest_s:
        return None
    heard = _hear(_OBJECTING, before, moment, answer=event.name == PERSON_OBJECTION_WITHDRAWN)
    assert heard is not None  # it is newer than whatever was said
    granted, now = heard
    return granted, not granted, {**kept, OBJECTION: now}


def _counts(objection: PurposeState, stamp: Stamp) -> bool:
    """Whether no objection stands, and this is after the end of the last one."""
    return not objection.withdrawals and stamp > (objection.since or _NEVER)


def _hear(
    purpose: Purpose, kept: PurposeState, moment: Moment, *, answer: bool | None
) -> tuple[bool, PurposeState] | None:
    """Whether consent is there for this event, and what is kept after it."""
    event, stamp = moment
    granted = _granted(purpose, kept)
    settled = stamp > (kept.since or _NEVER)  # what holds now held then, unless this event says otherwise
    if answer is None:
        if settled:
            return granted, kept
        return (False, kept) if purpose.withdrawal == "for_ever" else None
    if kept.said is not None and stamp < kept.said:
        return (True, kept) if answer and granted and settled else None
    now = _granting(kept, event, stamp) if answer else _withdrawing(kept, event, stamp)
    changed = _granted(purpose, now) is not granted
    if not changed:
        return granted, now
    if kept.newest is not None and stamp < kept.newest:
        return None
    now = replace(now, since=stamp)
    if granted and purpose.withdrawal == "for_ever":
        now = replace(now, counted=0, left_out=now.left_out + now.counted, last=now.newest)
    return not granted, now


def _granted(purpose: Purpose, kept: PurposeState) -> bool:
    return not kept.withdrawals if kept.said else purpose.unknown == "granted"


def _granting(kept: PurposeState, event: Event, stamp: Stamp) -> PurposeState:
    """A grant lifts the earlier withdrawals with which it shares an identifier."""
    speakers = frozenset(_speakers(event))
    standing = tuple(
        [each for each in kept.withdrawals if each[0] >= stamp[0] or speakers.isdisjoint(each[1])]
    )
    return replace(kept, said=stamp, withdrawals=standing)


def _withdrawing(kept: PurposeState, event: Event, stamp: Stamp) -> PurposeState:
    speakers = _speakers(event)
    others = [each for each in kept.withdrawals if each[1] != speakers]
    newest: StandingWithdrawal = (stamp[0], speakers)
    return replace(kept, said=stamp, withdrawals=(*others, newest)[-MOST_WITHDRAWALS:])


def _counted(kept: PurposeState, stamp: Stamp, *, granted: bool) -> PurposeState:
    """What is kept after an event that rules for this purpose look at."""
    said, since, withdrawals, counted, left_out, last, newest = astuple(kept)
    newest = stamp if newest is None or stamp > newest else newest
    if granted:
        return PurposeState(said, since, withdrawals, counted + 1, left_out, last, newest)
    last = stamp if last is None or stamp > last else last
    return PurposeState(said, since, withdrawals, counted, left_out + 1, last, newest)


def _forgotten(name: str, kept: PurposeState) -> PurposeState:
    """What somebody said, without what they did."""
    return kept if name == OBJECTION else replace(kept, counted=0, left_out=0, last=None, newest=None)


def _speakers(event: Event) -> tuple[int, ...]:
    """Hashes of the identifiers that the event names, in one order; one for nobody if it names none."""
    namespace = event.namespace or default_namespace(event.kind, event.source)
    named = (
        ("user_id", event.user_id and f"{namespace}:{event.user_id}"),
        ("email", event.email and fold_case(event.email)),
        ("anonymous_id", event.anonymous_id),
    )
    return tuple(sorted([_hash(kind, value) for kind, value in named if value])) or (0,)


@lru_cache(maxsize=4096)
def _hash(kind: str, value: str) -> int:
    """The same number in every process, which does not tell what was hashed."""
    text = f"{kind}:{value}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=_HASH_BYTES).digest())


def answers(history: Iterable[Event]) -> dict[str, bool]:
    """Every purpose that somebody said something about, and whether the person agrees after all of it.

    history:  in order of time
    """
    said: dict[str, PurposeState] = {}
    for event in history:
        stamp = (event.occurred_at.timestamp(), event.event_id.bytes)
        for purpose, answer in (event.consent or {}).items():
            before = said.get(purpose, _UNSAID)
            said[purpose] = (_granting if answer else _withdrawing)(before, event, stamp)
    return {purpose: not kept.withdrawals for purpose, kept in said.items()}


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Events that a purpose left out.

    last:  the newest of them
    """

    purpose: Purpose
    count: int
    last: Stamp | None


def left_out(purposes: Mapping[str, Purpose], state: LeadState) -> list[LeftOut]:
    """What consent left out, in the model's order of purposes."""
    return [
        LeftOut(purpose=purpose, count=kept.left_out, last=kept.last)
        for name, purpose in purposes.items()
        if (kept := state.consent.get(name)) and kept.left_out
    ]
