"""Which rules an event or a person matches, and for how many points; memoised.

In: the rules of a model (shared/scoring/engine/memo.py remembers). Out: for each event name an
`EventMatcher`, for profiles a `ProfileMatch`. An answer depends on nothing but the values that the rules'
own conditions look at.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from shared.events import Event
from shared.scoring.definition.fields import event_getter, profile_getter
from shared.scoring.definition.rules import EngagementRule, FitRule, Occurrence
from shared.scoring.engine.field_tests import FieldTests
from shared.scoring.engine.memo import FieldResult, Latest, Memo
from shared.scoring.engine.state import Attribute, profile_of
from shared.scoring.engine.value_limit import value_hasher


class RuleTerm(NamedTuple):
    """How an engagement rule's state turns into points.

    rank:            position in the model's order, in which everything is added up
    room:            position in `model.groups` of the group it pays into
    half_life_s:     seconds after which half of the points are left; None: they stay
    lowest, highest: bounds of what it can be worth
    """

    rank: int
    rule: EngagementRule
    room: int
    half_life_s: float | None
    lowest: float
    highest: float


class Fits(NamedTuple):
    """The fit rules that hold for somebody, in the model's order.

    rooms:  positions in `model.groups` that they pay into
    asked:  for each group of the model the sum of what they pay
    """

    rules: tuple[FitRule, ...]
    rooms: tuple[int, ...]
    asked: tuple[float, ...]


class ProfileMatch(NamedTuple):
    """Who somebody is: the attributes as conditions see them, and the fit rules that hold."""

    profile: Mapping[str, Any]
    fits: Fits


class Match(NamedTuple):
    """What one event does to the rules.

    pays:       the rules it meets, each with the points it is worth
    opens:      the rules for which it is the first half of a sequence
    pays_value: those whose limit is one for each value of a field, and what fetches the value's hash
    """

    pays: tuple[tuple[EngagementRule, float], ...]
    opens: tuple[EngagementRule, ...]
    pays_value: tuple[tuple[EngagementRule, float, Callable[[Event], int]], ...]

    def rules(self) -> Iterator[EngagementRule]:
        """Every rule that it concerns; one that it pays and opens comes twice."""
        for rule, _ in self.pays:
            yield rule
        for rule, _, _ in self.pays_value:
            yield rule
        yield from self.opens

    def without(self, refused: Collection[str]) -> "Match":
        """What it does to the other rules. refused: ids of rules that are not shown it."""
        return Match(
            tuple([each for each in self.pays if each[0].id not in refused]),
            tuple([rule for rule in self.opens if rule.id not in refused]),
            tuple([each for each in self.pays_value if each[0].id not in refused]),
        )


NOTHING: Final = Match((), (), ())
"""What an event does that concerns no rule: always this very value"""

EventMatcher = Memo[Event, Match]
"""What events of one name pay"""


def event_matchers(rules: tuple[EngagementRule, ...]) -> dict[str, EventMatcher]:
    """For each name that a rule knows, and for all others, what its events pay."""
    firsts = [rule.after.first for rule in rules if rule.after]
    names = {""}.union(*(occurrence.names for occurrence in (*firsts, *(rule.event for rule in rules))))
    return {name: _event_matcher(rules, name) for name in names}


def _event_matcher(rules: tuple[EngagementRule, ...], name: str) -> EventMatcher:
    """What events of one name pay: rules in the model's order."""
    field_tests = FieldTests(event_getter)
    paying = [
        (rule, field_tests.about(rule.event.when), field_tests.worth(rule.points))
        for rule in rules
        if _names(rule.event, name)
    ]
    by_value = {
        rule.id: value_hasher(rule.limit.for_each)
        for rule, _, _ in paying
        if rule.limit and rule.limit.for_each
    }
    opening = [
        (rule, field_tests.about(rule.after.first.when))
        for rule in rules
        if rule.after and _names(rule.after.first, name)
    ]

    def find(results: Sequence[FieldResult]) -> Match:
        pays = [(rule, worth(results)) for rule, meets, worth in paying if meets(results)]
        match = Match(
            tuple([each for each in pays if each[0].id not in by_value]),
            tuple([rule for rule, meets in opening if meets(results)]),
            tuple([(rule, points, by_value[rule.id]) for rule, points in pays if rule.id in by_value]),
        )
        return match if any(match) else NOTHING

    return Memo(field_tests.fields(), find)


def _names(occurrence: Occurrence, name: str) -> bool:
    return not occurrence.names or name in occurrence.names


def rule_terms(rules: tuple[EngagementRule, ...], group_index: Mapping[str, int]) -> dict[str, RuleTerm]:
    """The term of each rule, by its id."""
    return {
        rule.id: RuleTerm(
            rank=rank,
            rule=rule,
            room=group_index.get(rule.group, 0),
            half_life_s=rule.half_life_s,
            lowest=rule.between.lowest,
            highest=rule.between.highest,
        )
        for rank, rule in enumerate(rules)
    }


def fits_of(rules: tuple[FitRule, ...], group_index: Mapping[str, int]) -> Fits:
    """These fit rules, and what they pay."""
    rooms = tuple(group_index[rule.group] for rule in rules)
    asked = [0.0] * len(group_index)
    for room, rule in zip(rooms, rules, strict=True):
        asked[room] += rule.points
    return Fits(rules, rooms, tuple(asked))


def profile_matcher(
    rules: tuple[FitRule, ...], group_index: Mapping[str, int]
) -> Latest[Mapping[str, Attribute], ProfileMatch]:
    """Who somebody is, by the attributes of the lead."""
    field_tests = FieldTests(profile_getter)
    asked = [(rule, field_tests.about(rule.when)) for rule in rules]

    def find(results: Sequence[FieldResult]) -> Fits:
        return fits_of(tuple([rule for rule, holds in asked if holds(results)]), group_index)

    # Nearly nobody is like another, but the same few sets of rules hold.
    fits: Memo[Mapping[str, Any], Fits] = Memo(field_tests.fields(), find)

    def person(attributes: Mapping[str, Attribute]) -> ProfileMatch:
        if not attributes:
            return nobody()
        profile = profile_of(attributes)
        return ProfileMatch(profile, fits.of(profile))

    @cache  # most visitors; not worked out before somebody asks, because a broken model is compiled too
    def nobody() -> ProfileMatch:
        profile = profile_of({})
        return ProfileMatch(profile, fits.of(profile))

    return Latest(person)
