"""Which destinations a transition gets: each row of the tables is a sentence of the header of decide.py."""

from typing import Any

import pytest

from services.router.decide import Range, Route, When, decide, matches
from shared.leads.transition_row import Person
from tests.router.situations import transition

ALL = frozenset({"crm", "queue", "slack"})


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (When(), True),
        (When(stage=frozenset({"mql", "sql"})), True),
        (When(stage=frozenset({"mql"})), False),
        (When(previous_stage=frozenset({"mql"})), True),
        (When(previous_stage=frozenset({"sal"})), False),
        (When(grade=frozenset({"A2"})), True),
        (When(grade=frozenset({"A"})), True),
        (When(grade=frozenset({"2"})), True),
        (When(grade=frozenset({"B", "1"})), False),
        (When(score=Range(at_least=64)), True),
        (When(score=Range(at_least=65)), False),
        (When(score=Range(at_most=64)), True),
        (When(score=Range(at_most=63)), False),
        (When(dimensions={"fit": Range(at_least=30)}), True),
        (When(dimensions={"fit": Range(at_least=31)}), False),
        (When(dimensions={"product": Range(at_least=1)}), False),
        (When(dimensions={"product": Range(at_most=0)}), True),
        (When(traits={"country": ("AT", "de")}), True),
        (When(traits={"country": ("AT",)}), False),
        (When(traits={"city": ("Berlin",)}), False),
        (When(traits={"employees": Range(at_least=250)}), True),
        (When(traits={"employees": Range(at_least=251)}), False),
        (When(traits={"employees": (250,)}), True),
        (When(traits={"country": Range(at_least=1)}), False),
        (When(traits={"vip": (True,)}), True),
        (When(traits={"vip": (1,)}), False),
        (When(traits={"vip": Range(at_least=0)}), False),
        (When(stage=frozenset({"sql"}), score=Range(at_least=65)), False),
    ],
)
def test_all_conditions_hold_and_any_value_of_each(when: When, *, holds: bool) -> None:
    """A route matches when each of its conditions does; any of a condition's values is enough."""
    assert matches(when, transition()) is holds


@pytest.mark.parametrize(
    ("routes", "destinations"),
    [
        ([], ()),
        ([("a", True, ["crm"], False), ("b", True, ["queue"], False)], ("crm", "queue")),
        ([("a", True, ["crm"], True), ("b", True, ["queue"], False)], ("crm",)),
        ([("a", False, ["crm"], True), ("b", True, ["queue"], False)], ("queue",)),
        ([("a", True, ["crm", "queue"], False), ("b", True, ["crm"], False)], ("crm", "queue")),
        ([("a", True, ["crm", "off"], False)], ("crm",)),
    ],
)
def test_every_matching_route_adds_until_one_stops(
    routes: list[tuple[str, bool, list[str], bool]], destinations: tuple[str, ...]
) -> None:
    """Matching routes add up, `stop` ends the reading, nothing is sent twice or to what is off."""
    built = [
        Route(name=name, when=When(score=Range(at_least=0 if match else 101)), to=tuple(to), stop=stop)
        for name, match, to, stop in routes
    ]
    assert decide(transition(), built, ALL) == destinations


@pytest.mark.parametrize("value", [None, [], {"a": 1}, "250"])
def test_a_trait_of_another_type_just_does_not_match(value: Any) -> None:
    """A trait is whatever a sender wrote; a range over text is not met, and nothing breaks."""
    lead = transition(person=Person(traits={"employees": value}))
    assert not matches(When(traits={"employees": Range(at_least=1)}), lead)
