"""A scoring model: its dimensions, groups, rules, grades and stages, and what follows from them.

In: checked values (shared/scoring/file/read.py makes them from scoring.yaml). Out: `Model`, immutable: what
it remembers inside (shared/scoring/engine/matching.py) changes no answer and is no part of its value.
Refuses nothing: whoever builds one has checked names and numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.scoring.definition.conditions import fields_of
from shared.scoring.definition.digest import digest
from shared.scoring.definition.rules import UNBOUNDED, Clamp, Dimension, EngagementRule, FitRule, Group
from shared.scoring.definition.stages import STAGE_NAMES, Grades, Move, Stage, StageName
from shared.scoring.engine.matching import (
    EventMatcher,
    ProfileMatch,
    RuleTerm,
    event_matchers,
    profile_matcher,
    rule_terms,
)
from shared.scoring.engine.memo import Latest
from shared.scoring.engine.state import Attribute

Bounds = tuple[tuple[int, float, float], ...]
"""(position, lowest, highest) of whatever has bounds"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One scoring model.

    stages:    in the order in which a lead passes them; those that nothing leads to may be missing
    event_matchers:  event name → what an event of this name pays; the key "" is for every other name
    person:    attributes of a lead → who it is
    moves:     the ways out of every stage there is; `ways` those that score and time may go, `causes` the
               names of the events that may go the others
    group_index:   group → its position in `groups`
    rule_terms:    id of an engagement rule → how its rule_state turns into points
    dimension_of_group:     for each group the position of its dimension in `dimensions`
    dimension_weights:    id and weight of each dimension
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
    event_matchers: Mapping[str, EventMatcher] = field(init=False, repr=False, compare=False)
    person: Latest[Mapping[str, Attribute], ProfileMatch] = field(init=False, repr=False, compare=False)
    group_index: Mapping[str, int] = field(init=False, repr=False, compare=False)
    rule_terms: Mapping[str, RuleTerm] = field(init=False, repr=False, compare=False)
    dimension_weights: tuple[tuple[str, float], ...] = field(init=False, repr=False, compare=False)
    dimension_of_group: tuple[int, ...] = field(init=False, repr=False, compare=False)
    clamped: tuple[Bounds, Bounds] = field(init=False, repr=False, compare=False)
    moves: Mapping[StageName, tuple[Move, ...]] = field(init=False, repr=False, compare=False)
    ways: Mapping[StageName, tuple[Move, ...]] = field(init=False, repr=False, compare=False)
    causes: Mapping[StageName, frozenset[str]] = field(init=False, repr=False, compare=False)
    attributes: frozenset[str] = field(init=False, repr=False, compare=False)
    fold_key: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        group_index = {group.id: position for position, group in enumerate(self.groups)}
        moves = dict.fromkeys(STAGE_NAMES, ()) | {stage.name: stage.moves for stage in self.stages}
        derived = {
            "event_matchers": event_matchers(self.engagement),
            "person": profile_matcher(self.fit, group_index),
            "group_index": group_index,
            "rule_terms": rule_terms(self.engagement, group_index),
            "dimension_weights": tuple((dimension.id, dimension.weight) for dimension in self.dimensions),
            "dimension_of_group": _dimension_of_group(self.groups, self.dimensions),
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

    def beside(self, other: "Model") -> "Model":
        """The same model, finding out together with the other one who a person is, if both ask the same."""
        if self.fit != other.fit or self.group_index != other.group_index:
            return self
        same = replace(self)
        object.__setattr__(same, "person", other.person)
        return same


def _dimension_of_group(groups: tuple[Group, ...], dimensions: tuple[Dimension, ...]) -> tuple[int, ...]:
    """For each group the position of its dimension (the first, while a broken file is being checked)."""
    positions = {dimension.id: position for position, dimension in enumerate(dimensions)}
    return tuple(positions.get(group.dimension, 0) for group in groups)


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
    return digest([(rule.id, *rule.keeps) for rule in rules])
