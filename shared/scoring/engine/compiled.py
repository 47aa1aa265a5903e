"""A scoring model made ready to score: what follows from its parts, worked out once.

In: a `Model`. Out: `Compiled`, immutable: what its memos remember (shared/scoring/engine/memo.py) changes no
answer and is no part of its value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared.scoring.definition.accounts import Accounts
from shared.scoring.definition.conditions import fields_of
from shared.scoring.definition.digest import digest
from shared.scoring.definition.model import Model
from shared.scoring.definition.purposes import Purpose
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
from shared.scoring.engine.sales_facts import FACTS_OF_EVERY_MODEL
from shared.scoring.engine.state import Attribute

Bounds = tuple[tuple[int, float, float], ...]
"""(position, lowest, highest) of whatever has bounds"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A model with all that scoring looks up; two are equal if their models are. Made by `Compiled.of`.

    event_matchers:  event name → what an event of this name pays; the key "" is for every other name
    person:    attributes of a lead → who it is
    group_index:   group → its position in `groups`
    rule_terms:    id of an engagement rule → how its rule_state turns into points
    dimension_weights:    id and weight of each dimension
    dimension_of_group:     for each group the position of its dimension in `dimensions`
    clamped:   position, lowest and highest of the groups that have bounds, then the same of the dimensions
    moves:     the ways out of every stage there is; `ways` those that score and time may go, `causes` the
               names of the events that may go the others
    sales_facts: names of the events that may move a lead by themselves, from whatever stage
    attributes:    those that fit rules and stages look at
    purposes:  by name, those that a rule needs, in the order of the rules
    fold_key:  names what a folded state depends on; a state folded under another key must be refolded
    """

    model: Model
    event_matchers: Mapping[str, EventMatcher] = field(repr=False, compare=False)
    person: Latest[Mapping[str, Attribute], ProfileMatch] = field(repr=False, compare=False)
    group_index: Mapping[str, int] = field(repr=False, compare=False)
    rule_terms: Mapping[str, RuleTerm] = field(repr=False, compare=False)
    dimension_weights: tuple[tuple[str, float], ...] = field(repr=False, compare=False)
    dimension_of_group: tuple[int, ...] = field(repr=False, compare=False)
    clamped: tuple[Bounds, Bounds] = field(repr=False, compare=False)
    moves: Mapping[StageName, tuple[Move, ...]] = field(repr=False, compare=False)
    ways: Mapping[StageName, tuple[Move, ...]] = field(repr=False, compare=False)
    causes: Mapping[StageName, frozenset[str]] = field(repr=False, compare=False)
    sales_facts: frozenset[str] = field(repr=False, compare=False)
    attributes: frozenset[str] = field(repr=False, compare=False)
    purposes: Mapping[str, Purpose] = field(repr=False, compare=False)
    fold_key: str = field(compare=False)
    full_key: str = field(compare=False)

    @classmethod
    def of(cls, model: Model) -> "Compiled":
        """The model, made ready to score."""
        group_index = {group.id: position for position, group in enumerate(model.groups)}
        moves = dict.fromkeys(STAGE_NAMES, ()) | {stage.name: stage.moves for stage in model.stages}
        causes = {
            name: frozenset[str]().union(*(move.event for move in ways)) for name, ways in moves.items()
        }
        asked, fold_key = _attributes(model), _fold_key(model.engagement)
        return cls(
            model=model,
            event_matchers=event_matchers(model.engagement),
            person=profile_matcher(model.fit, group_index),
            group_index=group_index,
            rule_terms=rule_terms(model.engagement, group_index),
            dimension_weights=tuple((dimension.id, dimension.weight) for dimension in model.dimensions),
            dimension_of_group=_dimension_of_group(model.groups, model.dimensions),
            clamped=(
                _clamped([group.between for group in model.groups]),
                _clamped([dimension.between for dimension in model.dimensions]),
            ),
            moves=moves,
            ways={name: tuple(move for move in given if not move.event) for name, given in moves.items()},
            causes=causes,
            sales_facts=FACTS_OF_EVERY_MODEL.union(*causes.values()),
            attributes=asked,
            purposes={rule.purpose.id: rule.purpose for rule in model.engagement if rule.purpose},
            fold_key=fold_key,
            full_key=f"{fold_key}+{digest(asked)}",
        )

    def changed(self, **parts: Any) -> "Compiled":
        """The model with these of its parts instead, compiled anew."""
        return Compiled.of(replace(self.model, **parts))

    def beside(self, other: "Compiled") -> "Compiled":
        """The same model, finding out together with the other one who a person is, if both ask the same."""
        if digest(self.fit) != digest(other.fit) or self.group_index != other.group_index:
            return self
        return replace(self, person=other.person)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The model's dimensions."""
        return self.model.dimensions

    @property
    def groups(self) -> tuple[Group, ...]:
        """The model's groups."""
        return self.model.groups

    @property
    def engagement(self) -> tuple[EngagementRule, ...]:
        """The model's engagement rules."""
        return self.model.engagement

    @property
    def fit(self) -> tuple[FitRule, ...]:
        """The model's fit rules."""
        return self.model.fit

    @property
    def grades(self) -> Grades:
        """The model's grades."""
        return self.model.grades

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The model's stages."""
        return self.model.stages

    @property
    def accounts(self) -> Accounts | None:
        """What the model says about accounts, None if it has none."""
        return self.model.accounts


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
