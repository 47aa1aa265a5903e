"""All that is known about some people → who they are, whatever the order in which it came (pure).

In: the evidence of their events, what people decided, identifiers of which no event is left. Out: `Groups`:
which identifiers are one person, and what was refused.

This is the definition of identity; place.py gives the same result as long as nothing comes late. Evidence
counts in the order in which it occurred: first what people decided, then alias calls, then the events. A
pair of identifiers that would give one person two user ids of a namespace is refused, and with it nothing
else: what was accepted before stays.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from services.scorer.identify.evidence import Evidence
from services.scorer.identify.facts import Conflict, Limits, Reason, are_apart
from shared.ids import EventId
from shared.leads.identifiers import Identifier

Verdict = Literal["one", "apart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided about two people: that they are one, or that they are not."""

    number: int
    verdict: Verdict
    one: frozenset[Identifier]
    other: frozenset[Identifier]


class Pair(NamedTuple):
    """Two strong identifiers, and the event that named both."""

    at: datetime
    event: EventId
    one: Identifier
    other: Identifier


@dataclass(slots=True)
class Groups:
    """Which identifiers are one person."""

    members: list[frozenset[Identifier]]
    conflicts: list[Conflict]
    marks: Mapping[Identifier, frozenset[str]]
    _place: dict[Identifier, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place = {one: place for place, some in enumerate(self.members) for one in some}

    def of(self, identifier: Identifier) -> int | None:
        """The position of the group that has this strong identifier."""
        return self._place.get(identifier)

    def marks_of(self, group: int) -> frozenset[str]:
        """What people decided about this group, as marks."""
        return frozenset().union(*(self.marks.get(one, frozenset()) for one in self.members[group]))


def groups(
    seen: Sequence[Evidence],
    decisions: Iterable[Decision],
    held: Iterable[Pair],
    limits: Limits,
) -> Groups:
    """Who these people are.

    seen:  of every counted event, without suspended identifiers
    held:  identifiers that no event names any more, each with a stronger one of its lead
    """
    decisions = sorted(decisions, key=lambda one: one.number)
    union = _Union(limits, marks_of(decisions))
    users = {one for each in seen for one in each.strong if one.kind == "user_id"}
    pairs = sorted([*_pairs(seen), *held], key=_when)  # of one event in its order: hashes have no say
    for pair in pairs:
        union.add(pair.one, pair.other)
    for each in seen:
        union.add(*each.strong)
    for decision in decisions:
        if decision.verdict == "one":
            union.decide(decision)
    refused: dict[tuple[Identifier, Identifier], Conflict] = {}
    for pair, alias in [
        *((one, True) for one in _other_names(seen, users)),
        *((one, False) for one in pairs),
    ]:
        if why := union.join(pair.one, pair.other, alias=alias):
            _note(refused, pair, why)
    for pair in _unproven_aliases(seen, users):
        if union.root(pair.one) != union.root(pair.other):
            _note(refused, pair, "alias")
    return Groups(union.groups(), list(refused.values()), union.marks)


def marks_of(decisions: Iterable[Decision]) -> dict[Identifier, frozenset[str]]:
    """Each identifier that somebody decided to keep apart from others: `12a` must not meet `12b`."""
    marks: dict[Identifier, frozenset[str]] = {}
    for decision in decisions:
        if decision.verdict == "apart":
            for side, members in (("a", decision.one), ("b", decision.other)):
                for one in members:
                    marks[one] = marks.get(one, frozenset()) | {f"{decision.number}{side}"}
    return marks


def _pairs(seen: Iterable[Evidence]) -> Iterator[Pair]:
    """The strongest identifier of each event with each of its others."""
    for each in seen:
        for other in each.strong[1:]:
            yield Pair(each.at, each.event_id, each.strong[0], other)


def _other_names(seen: Iterable[Evidence], users: set[Identifier]) -> list[Pair]:
    """Two user ids of one user, both of which some event has as its user id.

    An alias call names them, or an event of before namespaces: its id was the product's own as well.
    """
    return sorted(
        Pair(each.at, each.event_id, each.strong[0], other)
        for each in seen
        for other in (each.previous, each.former if each.unnamed else None)
        if other and other in users and each.strong
    )


def _unproven_aliases(seen: Iterable[Evidence], users: set[Identifier]) -> Iterator[Pair]:
    """Users for whom alias calls name the same id of a device: the first with each other one."""
    first: dict[Identifier, Identifier] = {}
    for each in sorted(seen, key=lambda one: (one.at, one.event_id)):
        if each.previous and each.previous not in users:
            before = first.setdefault(each.previous, each.strong[0])
            if before != each.strong[0]:
                yield Pair(each.at, each.event_id, before, each.strong[0])


def _when(pair: Pair) -> tuple[datetime, EventId]:
    return pair.at, pair.event


def _note(refused: dict[tuple[Identifier, Identifier], Conflict], pair: Pair, why: Reason) -> None:
    one, other = min(pair.one, pair.other), max(pair.one, pair.other)
    refused.setdefault((one, other), Conflict(one=one, other=other, reason=why, event=pair.event, at=pair.at))


class _Union:
    """Sets of identifiers that are joined where their limits allow it."""

    def __init__(self, limits: Limits, marks: Mapping[Identifier, frozenset[str]]) -> None:
        self.marks = marks
        self._limits = limits
        self._parent: dict[Identifier, Identifier] = {}
        self._same_user: dict[Identifier, Identifier] = {}
        self._members: dict[Identifier, set[Identifier]] = {}

    def add(self, *identifiers: Identifier) -> None:
        for one in identifiers:
            if one not in self._parent:
                self._parent[one] = one
                self._members[one] = {one}

    def root(self, one: Identifier) -> Identifier:
        return _root(self._parent, one)

    def decide(self, decision: Decision) -> None:
        """Join two people as somebody decided; their user ids count as one."""
        known = [one for one in sorted(decision.one | decision.other) if one in self._parent]
        for one in known[1:]:
            self._unite(known[0], one)
        users = [one for one in known if one.kind == "user_id"]
        for one in users:
            for other in users:
                if one.namespace == other.namespace:
                    _join(self._same_user, one, other)

    def join(self, one: Identifier, other: Identifier, *, alias: bool) -> Reason | None:
        """Join the sets of these two, or say why not. alias: they are two names of one user."""
        self.add(one, other)
        a, b = self.root(one), self.root(other)
        if alias and one.namespace == other.namespace:
            _join(self._same_user, one, other)
        if a == b:
            return None
        if why := self._conflict(self._members[a] | self._members[b]):
            return why
        self._unite(a, b)
        return None

    def groups(self) -> list[frozenset[Identifier]]:
        roots = {self.root(one) for one in self._parent}
        return [frozenset(self._members[root]) for root in sorted(roots)]

    def _conflict(self, members: set[Identifier]) -> Reason | None:
        users = {one for one in members if one.kind == "user_id"}
        if len({_root(self._same_user, one) for one in users}) > len({one.namespace for one in users}):
            return "two_user_ids"
        if sum(one.kind == "email" for one in members) > self._limits.addresses:
            return "too_many_addresses"
        marks: frozenset[str] = frozenset().union(*(self.marks.get(one, frozenset()) for one in members))
        return "kept_apart" if are_apart(marks, marks) else None

    def _unite(self, one: Identifier, other: Identifier) -> None:
        a, b = self.root(one), self.root(other)
        if a != b:
            self._parent[b] = a
            self._members[a] |= self._members.pop(b)


def _root(parent: Mapping[Identifier, Identifier], one: Identifier) -> Identifier:
    while (above := parent.get(one, one)) != one:
        one = above
    return one


def _join(parent: dict[Identifier, Identifier], one: Identifier, other: Identifier) -> None:
    a, b = _root(parent, one), _root(parent, other)
    if a != b:
        parent[b] = a
