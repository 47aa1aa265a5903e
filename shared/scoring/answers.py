"""What rules say about one event or one person, found once for all that are alike.

In: the rules of a model. Out: memos (shared/scoring/memo.py): what an event pays, who a person is, which
rules somebody has met.
Refuses nothing. Each answer depends on nothing but the values that the rules' own conditions look at.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shared.events import Event
from shared.scoring.fields import event_getter, profile_getter
from shared.scoring.inquiry import Inquiry
from shared.scoring.memo import Latest, Memo, Verdict
from shared.scoring.rules import EngagementRule, FitRule, Occurrence
from shared.scoring.state import Attribute, profile_of


class Slope(NamedTuple):
    """How an engagement rule's account turns into points.

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


Tariff = Memo[Event, Payment]
"""What events of one name pay"""


def tariffs_of(rules: tuple[EngagementRule, ...]) -> dict[str, Tariff]:
    """For each name that a rule knows, and for all others, what its events pay."""
    firsts = [rule.after.first for rule in rules if rule.after]
    names = {""}.union(*(occurrence.names for occurrence in (*firsts, *(rule.event for rule in rules))))
    return {name: _tariff(rules, name) for name in names}


def _tariff(rules: tuple[EngagementRule, ...], name: str) -> Tariff:
    """What events of one name pay: rules in the model's order."""
    inquiry = Inquiry(event_getter)
    paying = [
        (rule, inquiry.about(rule.event.when), inquiry.worth(rule.points))
        for rule in rules
        if _names(rule.event, name)
    ]
    opening = [
        (rule, inquiry.about(rule.after.first.when))
        for rule in rules
        if rule.after and _names(rule.after.first, name)
    ]

    def find(verdicts: Sequence[Verdict]) -> Payment:
        return Payment(
            tuple([(rule, worth(verdicts)) for rule, meets, worth in paying if meets(verdicts)]),
            tuple([rule for rule, meets in opening if meets(verdicts)]),
        )

    return Memo(inquiry.questions(), find)


def _names(occurrence: Occurrence, name: str) -> bool:
    return not occurrence.names or name in occurrence.names


def slopes_of(rules: tuple[EngagementRule, ...], room_of: Mapping[str, int]) -> dict[str, Slope]:
    """The slope of each rule, by its id."""
    return {
        rule.id: Slope(
            rank=rank,
            rule=rule,
            room=room_of.get(rule.group, 0),
            half_life_s=rule.half_life_s,
            lowest=rule.between.lowest,
            highest=rule.between.highest,
        )
        for rank, rule in enumerate(rules)
    }


def fits_of(rules: tuple[FitRule, ...], room_of: Mapping[str, int]) -> Fits:
    """These fit rules, and what they pay."""
    rooms = tuple(room_of[rule.group] for rule in rules)
    asked = [0.0] * len(room_of)
    for room, rule in zip(rooms, rules, strict=True):
        asked[room] += rule.points
    return Fits(rules, rooms, tuple(asked))


def person_of(
    rules: tuple[FitRule, ...], room_of: Mapping[str, int]
) -> Latest[Mapping[str, Attribute], Person]:
    """Who somebody is, by the attributes of the lead."""
    inquiry = Inquiry(profile_getter)
    asked = [(rule, inquiry.about(rule.when)) for rule in rules]

    def find(verdicts: Sequence[Verdict]) -> Fits:
        return fits_of(tuple([rule for rule, holds in asked if holds(verdicts)]), room_of)

    # Nearly nobody is like another, but the same few sets of rules hold.
    fits: Memo[Mapping[str, Any], Fits] = Memo(inquiry.questions(), find)

    def person(attributes: Mapping[str, Attribute]) -> Person:
        profile = profile_of(attributes)
        return Person(profile, fits.of(profile))

    return Latest(person)
