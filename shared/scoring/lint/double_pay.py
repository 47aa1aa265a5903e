"""Two rules that pay one event: the most frequent way to count more than was meant.

In: a model. Out: doubts, each with its path and an event that both rules pay.
Refuses to guess: an example made from what one rule asks for has to meet the other one too. Rules for
repetition and sequence are meant to come on top, and one event may count in two dimensions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from shared.scoring.analysis.satisfiable import Example, examples
from shared.scoring.definition.conditions import ALWAYS, Predicate, on_profile
from shared.scoring.definition.model import Model
from shared.scoring.definition.rules import EngagementRule
from shared.scoring.lint.rules import Doubt, place, whole_condition

# Forty rules need a few thousand; five hundred rules that all pay one event need not all be told.
_MOST_TRIES: Final = 30_000
_MOST_TOLD: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paying:
    """A rule that pays, and what meets it."""

    rule: EngagementRule
    side: str
    holds: Predicate
    examples: list[Example]


def paid_twice(model: Model) -> Iterator[Doubt]:
    """Pairs of rules of one dimension that certainly pay one event."""
    sides = {group.id: group.dimension for group in model.groups}
    paying = [
        _Paying(
            rule=rule,
            side=sides[rule.group],
            holds=on_profile(whole_condition(rule.event)),
            examples=examples(rule.event.when),
        )
        for rule in model.engagement
        if rule.points.range()[1] > 0 and not rule.needs_order
    ]
    told = tried = 0
    for one, other in combinations(paying, 2):
        names = _names_of_both(one.rule, other.rule) if one.side == other.side else []
        tried += len(names) * (1 + len(one.examples) + len(other.examples))
        if told >= _MOST_TOLD or tried > _MOST_TRIES:
            return
        shown = _shown(one, other, names) if names else ""
        if shown:
            told += 1
            yield (
                place(other.rule),
                (
                    f'it pays {shown}, and so does rule "{one.rule.id}". '
                    "Make their conditions exclude each other, or remove one"
                ),
            )


def _names_of_both(one: EngagementRule, other: EngagementRule) -> list[str]:
    """Event names that both rules look at."""
    if one.event.names and other.event.names:
        return sorted(one.event.names & other.event.names)
    return sorted(one.event.names | other.event.names) or ["any event"]


def _shown(one: _Paying, other: _Paying, names: list[str]) -> str:
    """An event that both pay, in words; empty if none is certain."""
    for example in (*one.examples, *other.examples):
        for name in names:
            event = {"name": name, **example}
            if one.holds(event) and other.holds(event):
                return _words(name, example)
    unconditional = ALWAYS in {one.rule.event.when, other.rule.event.when}
    return names[0] if unconditional else ""


def _words(name: str, example: Mapping[str, object]) -> str:
    facts = [f'{field} "{value}"' for field, value in example.items() if field != "name"]
    named = str(example.get("name", name))
    return f"{named} with {' and '.join(facts)}" if facts else named
