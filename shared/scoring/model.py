"""What a scoring model says, as values: dimensions, groups, rules, grades, stages.

In: checked values (shared/scoring/model_file.py makes them from scoring.yaml). Out: `Model`, immutable,
with its conditions compiled and its rules indexed by event name.
Refuses nothing: whoever builds one has checked names and numbers.

Numbers are points unless their name carries a unit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.events import Event
from shared.scoring.conditions import (
    fields_of,
)
from shared.scoring.digest import digest
from shared.scoring.fields import event_getter, profile_getter
from shared.scoring.memo import Latest, Memo, values_key
from shared.scoring.moves import STAGE_NAMES, Grades, Move, Stage, StageName
from shared.scoring.rules import UNBOUNDED, Clamp, EngagementRule, FitRule, Label, Occurrence
from shared.scoring.state import Attribute, profile_of

Bounds = tuple[tuple[int, float, float], ...]
"""(position, lowest, highest) of whatever has bounds"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A side of the score (fit, engagement, product …): clamps the sum of its groups.

    weight:  how many points of the score one of its points is worth
    """

    id: str
    label: Label
    weight: float = 1.0
    between: Clamp = UNBOUNDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules that belong together: clamps their sum."""

    id: str
    label: Label
    dimension: str
    between: Clamp = UNBOUNDED


class Met(NamedTuple):
    """Engagement rules that somebody has met, in the model's order.

    rooms:   positions in `model.groups` that they pay into
    slopes:  their half-lives in seconds, None for none, and the bounds of what they can be worth
    """

    rules: tuple[EngagementRule, ...]
    rooms: tuple[int, ...]
    slopes: tuple[tuple[float | None, float, float], ...]


class Fits(NamedTuple):
    """The fit rules that hold for somebody, in the model's order.

    rooms:  positions in `model.groups` that they pay into
    asked:  for each group of the model the sum of what they pay
    """

    rules: tuple[FitRule, ...]
    rooms: tuple[int, ...]
    asked: tuple[float, ...]


class Person(NamedTuple):
    """Who somebody is: the attributes as conditions see them, and the fit rules that hold."""

    profile: Mapping[str, Any]
    fits: Fits


class Payment(NamedTuple):
    """What one event does to the rules.

    pays:   the rules it meets, each with the points it is worth
    opens:  the rules for which it is the first half of a sequence
    """

    pays: tuple[tuple[EngagementRule, float], ...]
    opens: tuple[EngagementRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One scoring model.

    stages:    in the order in which a lead passes them; those that nothing leads to may be missing
    payments:  event name → what an event of this name pays; the key "" is for every other name
    person:    attributes of a lead → who it is
    moves:     the ways out of every stage there is; `ways` those that score and time may go, `causes` the
               names of the events that may go the others
    room_of:   group → its position in `groups`
    met:       ids of engagement rules, in any order → those rules, in the model's order
    sides:     for each group the position of its dimension in `dimensions`
    scales:    id and weight of each dimension
    clamped:   position, lowest and highest of the groups that have bounds, then the same of the dimensions
    fold_key:  names what a folded state depends on; a state folded under another key must be refolded
    """

    name: str
    dimensions: tuple[Dimension, ...]
    groups: tuple[Group, ...]
    engagement: tuple[EngagementRule, ...]
    fit: tuple[FitRule, ...]
    grades: Grades
    stages: tuple[Stage, ...]
    payments: Mapping[str, Memo[Event, Payment]] = field(init=False, repr=False, compare=False)
    person: Latest[Mapping[str, Attribute], Person] = field(init=False, repr=False, compare=False)
    room_of: Mapping[str, int] = field(init=False, repr=False, compare=False)
    met: Memo[Iterable[str], Met] = field(init=False, repr=False, compare=False)
    scales: tuple[tuple[str, float], ...] = field(init=False, repr=False, compare=False)
    sides: tuple[int, ...] = field(init=False, repr=False, compare=False)
    clamped: tuple[Bounds, Bounds] = field(init=False, repr=False, compare=False)
    moves: Mapping[StageName, tuple[Move, ...]] = field(init=False, repr=False, compare=False)
    ways: Mapping[StageName, tuple[Move, ...]] = field(init=False, repr=False, compare=False)
    causes: Mapping[StageName, frozenset[str]] = field(init=False, repr=False, compare=False)
    attributes: frozenset[str] = field(init=False, repr=False, compare=False)
    fold_key: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        room_of = {group.id: position for position, group in enumerate(self.groups)}
        moves = dict.fromkeys(STAGE_NAMES, ()) | {stage.name: stage.moves for stage in self.stages}
        derived = {
            "payments": _payments(self.engagement),
            "person": _person(_holding(self.fit, room_of)),
            "room_of": room_of,
            "met": _met(self.engagement, room_of),
            "scales": tuple((dimension.id, dimension.weight) for dimension in self.dimensions),
            "sides": _sides(self.groups, self.dimensions),
            "clamped": (
                _clamped([group.between for group in self.groups]),
                _clamped([dimension.between for dimension in self.dimensions]),
            ),
            "moves": moves,
            "ways": {name: tuple(move for move in given if not move.event) for name, given in moves.items()},
            "causes": {
                name: frozenset[str]().union(*(move.event for move in given)) for name, given in moves.items()
            },
            "attributes": _attributes(self),
            "fold_key": _fold_key(self.engagement),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


def _sides(groups: tuple[Group, ...], dimensions: tuple[Dimension, ...]) -> tuple[int, ...]:
    """For each group the position of its dimension (the first, while a broken file is being checked)."""
    positions = {dimension.id: position for position, dimension in enumerate(dimensions)}
    return tuple(positions.get(group.dimension, 0) for group in groups)


def _payments(rules: tuple[EngagementRule, ...]) -> dict[str, Memo[Event, Payment]]:
    """For each name that a rule knows, and for all others, what its events pay."""
    firsts = [rule.after.first for rule in rules if rule.after]
    names = {""}.union(*(occurrence.names for occurrence in (*firsts, *(rule.event for rule in rules))))
    return {name: _payment(name, rules) for name in names}


def _payment(name: str, rules: tuple[EngagementRule, ...]) -> Memo[Event, Payment]:
    """What an event of this name pays: rules in the model's order."""
    payers = [rule for rule in rules if _names(rule.event, name)]
    openers = [(rule, rule.after.first) for rule in rules if rule.after and _names(rule.after.first, name)]
    fields = [fields_of(rule.event.when) for rule in payers]
    fields += [fields_of(first.when) for _, first in openers]
    fields += [frozenset({rule.points.by}) for rule in payers if rule.points.by]

    def find(event: Event) -> Payment:
        return Payment(
            tuple((rule, rule.points.of(event)) for rule in payers if rule.event.matches(event)),
            tuple(rule for rule, first in openers if first.matches(event)),
        )

    getters = [event_getter(path) for path in sorted(frozenset[str]().union(*fields))]
    return Memo(values_key([getter for getter in getters if getter]), find)


def _names(occurrence: Occurrence, name: str) -> bool:
    return not occurrence.names or name in occurrence.names


def _met(rules: tuple[EngagementRule, ...], room_of: Mapping[str, int]) -> Memo[Iterable[str], Met]:
    """The rules of these ids: whose accounts a lead has decides about their order."""

    def find(ids: Iterable[str]) -> Met:
        wanted = frozenset(ids)
        met = tuple(rule for rule in rules if rule.id in wanted)
        slopes = tuple((rule.half_life_s, rule.between.lowest, rule.between.highest) for rule in met)
        return Met(met, tuple(room_of[rule.group] for rule in met), slopes)

    return Memo(tuple, find)


def _holding(rules: tuple[FitRule, ...], room_of: Mapping[str, int]) -> Memo[Mapping[str, Any], Fits]:
    """Which fit rules hold for somebody."""
    fields = frozenset[str]().union(*(fields_of(rule.when) for rule in rules))

    def find(profile: Mapping[str, Any]) -> Fits:
        return fits_of(tuple(rule for rule in rules if rule.holds(profile)), room_of)

    return Memo(values_key([profile_getter(path) for path in sorted(fields)]), find)


def fits_of(rules: tuple[FitRule, ...], room_of: Mapping[str, int]) -> Fits:
    """These fit rules, and what they pay."""
    rooms = tuple(room_of[rule.group] for rule in rules)
    asked = [0.0] * len(room_of)
    for room, rule in zip(rooms, rules, strict=True):
        asked[room] += rule.points
    return Fits(rules, rooms, tuple(asked))


def _person(holding: Memo[Mapping[str, Any], Fits]) -> Latest[Mapping[str, Attribute], Person]:
    """Who somebody is."""

    def find(attributes: Mapping[str, Attribute]) -> Person:
        profile = profile_of(attributes)
        return Person(profile, holding.of(profile))

    return Latest(find)


def _clamped(clamps: list[Clamp]) -> Bounds:
    """Those that are bounds indeed, each with its position."""
    return tuple(
        (position, clamp.lowest, clamp.highest) for position, clamp in enumerate(clamps) if clamp != UNBOUNDED
    )


def _attributes(model: Model) -> frozenset[str]:
    """The attributes that fit rules and stages look at: those are kept whatever else a profile holds."""
    conditions = [rule.when for rule in model.fit]
    conditions += [move.line.profile for stage in model.stages for move in stage.moves]
    fields = frozenset[str]().union(*map(fields_of, conditions))
    return frozenset({path.partition(".")[0] for path in fields} | fields | {"email"})


def _fold_key(rules: tuple[EngagementRule, ...]) -> str:
    """A digest of everything that decides what fold() keeps."""
    return digest(
        [
            (rule.id, rule.event, rule.points, rule.half_life_s, rule.limit, rule.repeat, rule.after)
            for rule in rules
        ]
    )
