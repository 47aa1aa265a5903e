"""Two models → how they differ, in words.

In: two models, each with its lists. Out: `Difference`s, part by part; none if the models score alike.
Refuses to compare text: comments, spelling of durations and the order of keys in a file are no difference.
The order of stages, dimensions, groups and rules is one: stages lie on a path, receipts follow the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.scoring.definition.model import Model
from shared.scoring.words.conditions import values_words
from shared.scoring.words.model import Properties, model_words

Lists = Mapping[str, frozenset[str]]
Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One property; empty where it is not there."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One part that differs.

    kind:  model, dimension, group, rule, purpose, list, grade, stage, order
    name:  empty where there is only one of the kind
    """

    kind: str
    name: str
    change: Change
    details: tuple[Detail, ...]


def model_diff(before: tuple[Model, Lists], after: tuple[Model, Lists]) -> list[Difference]:
    """How the second model differs from the first."""
    return [*_parts(before, after), *_lists(before[1], after[1]), *_orders(before[0], after[0])]


def _parts(before: tuple[Model, Lists], after: tuple[Model, Lists]) -> Iterator[Difference]:
    old, new = model_words(*before), model_words(*after)
    for kind, name in {**old, **new}:
        was, now = old.get((kind, name)), new.get((kind, name))
        details = tuple(_details(was or {}, now or {}))
        if was is None or now is None:
            change: Change = "added" if was is None else "removed"
            yield Difference(kind=kind, name=name, change=change, details=details)
        elif details:
            yield Difference(kind=kind, name=name, change="changed", details=details)


def _details(was: Properties, now: Properties) -> Iterator[Detail]:
    for what in {**was, **now}:
        before, after = was.get(what, ""), now.get(what, "")
        if before != after:
            yield Detail(what=what, before=before, after=after)


def _lists(was: Lists, now: Lists) -> Iterator[Difference]:
    for name in {**was, **now}:
        gone = was.get(name, frozenset()) - now.get(name, frozenset())
        new = now.get(name, frozenset()) - was.get(name, frozenset())
        details = [
            Detail(what=f"{len(new)} added", before="", after=values_words(new)) if new else None,
            Detail(what=f"{len(gone)} removed", before=values_words(gone), after="") if gone else None,
        ]
        change: Change = "changed" if name in was and name in now else "added" if name in now else "removed"
        given = tuple(detail for detail in details if detail)
        if given or change != "changed":
            yield Difference(kind="list", name=name, change=change, details=given)


def _orders(before: Model, after: Model) -> Iterator[Difference]:
    """What both have, in another order."""
    sequences: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "stages": ([each.name for each in before.stages], [each.name for each in after.stages]),
        "account stages": (_account_stages(before), _account_stages(after)),
        "dimensions": ([each.id for each in before.dimensions], [each.id for each in after.dimensions]),
        "groups": ([each.id for each in before.groups], [each.id for each in after.groups]),
        "engagement rules": ([each.id for each in before.engagement], [each.id for each in after.engagement]),
        "fit rules": ([each.id for each in before.fit], [each.id for each in after.fit]),
    }
    for what, (old, new) in sequences.items():
        was, now = _common(old, new), _common(new, old)
        if was != now:
            detail = Detail(what="order", before=", ".join(was), after=", ".join(now))
            yield Difference(kind="order", name=what, change="changed", details=(detail,))


def _account_stages(model: Model) -> list[str]:
    return [stage.name for stage in model.accounts.stages] if model.accounts else []


def _common(names: Sequence[str], others: Sequence[str]) -> list[str]:
    there = set(others)
    return [name for name in names if name in there]
