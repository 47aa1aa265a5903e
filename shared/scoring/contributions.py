"""Exact points → whole contributions that add up to the shown score.

In: the points of rules and the sums they were clamped to. Out: `Contribution` lines.
Refuses to hide a clamp: what a group, a dimension or the score's own bounds took or gave is a line.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from shared.ids import EventId
from shared.scoring.model import Dimension, EngagementRule, FitRule, Group, Label, Model
from shared.scoring.moves import SCORE, Shown
from shared.scoring.points import Sums, weighted, whole
from shared.scoring.state import RuleState

ContributionKind = Literal["engagement", "fit", "group_limit", "dimension_limit", "score_limit"]


Source = EngagementRule | FitRule | Group | Dimension
_SCORE: Final[Label] = {"en": "Score", "de": "Score"}


class Contribution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a receipt: what it adds to the score, and why.

    rule:       id of the rule; for a limit its own words, such as "group limit web"
    points:     whole points of the score; all contributions add up to it
    count:      events that met the rule, `paid` those that its limit let through
    last_at:    the newest event that met the rule
    event_ids:  the newest paid events, latest first, at most three
    raw:        points of all events that met the rule, before limit and decay
    limited:    of these, points of the paid events
    decayed:    what is left of them now, within the bounds of the rule
    """

    rule: str
    kind: ContributionKind
    label: Label
    dimension: str
    group: str
    points: int
    count: int = 0
    paid: int = 0
    last_at: datetime | None = None
    event_ids: tuple[EventId, ...] = ()
    raw: float = 0.0
    limited: float = 0.0
    decayed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluation on the way to its receipt.

    accounts:  rule → what is kept about it
    values:    rule → exact points
    shown:     whole points of each dimension and "score"
    """

    accounts: Mapping[str, RuleState]
    values: Mapping[str, float]
    sums: Sums
    shown: Shown


def contributions(model: Model, evaluation: Evaluation) -> tuple[Contribution, ...]:
    """The lines that add up to the score, largest first within each dimension, without those of 0 points."""
    shown = evaluation.shown
    uncut = whole(weighted(model, shown))
    shares = apportion([each.weight * shown[each.id] for each in model.dimensions], uncut)
    exact = _exact_lines(model, evaluation)
    receipt: list[Contribution] = []
    for dimension, share in zip(model.dimensions, shares, strict=True):
        lines = exact[dimension.id]
        points = apportion([dimension.weight * value for value, _ in lines], share)
        paid = [(each, source) for each, (_, source) in zip(points, lines, strict=True) if each]
        paid.sort(key=_largest_first)
        receipt += [_line(dimension.id, each, source, evaluation) for each, source in paid]
    if shown[SCORE] != uncut:
        receipt.append(
            Contribution(
                rule="score limit",
                kind="score_limit",
                label=_SCORE,
                dimension="",
                group="",
                points=shown[SCORE] - uncut,
            )
        )
    return tuple(receipt)


def _exact_lines(model: Model, evaluation: Evaluation) -> dict[str, list[tuple[float, Source]]]:
    """By dimension: exact points, before the dimension's weight, and where they come from."""
    values, sums = evaluation.values, evaluation.sums
    lines: dict[str, list[tuple[float, Source]]] = {dimension.id: [] for dimension in model.dimensions}
    for rule in model.rules:
        if values.get(rule.id):
            lines[model.dimension_of[rule.group]].append((values[rule.id], rule))
    for group in model.groups:
        cut = sums.groups_granted[group.id] - sums.groups_asked[group.id]
        if cut:
            lines[group.dimension].append((cut, group))
    for dimension in model.dimensions:
        cut = sums.dimensions_granted[dimension.id] - sums.dimensions_asked[dimension.id]
        if cut:
            lines[dimension.id].append((cut, dimension))
    return lines


def _largest_first(line: tuple[int, Source]) -> int:
    return -line[0]


def _line(dimension: str, points: int, source: Source, evaluation: Evaluation) -> Contribution:
    """One line with all that is known about it."""
    kind: ContributionKind
    match source:
        case EngagementRule():
            return _engagement_line(dimension, points, source, evaluation)
        case FitRule():
            kind, rule, group, exact = "fit", source.id, source.group, source.points
        case Group():
            kind, rule, group, exact = "group_limit", f"group limit {source.id}", source.id, 0.0
        case Dimension():
            kind, rule, group, exact = "dimension_limit", f"dimension limit {source.id}", "", 0.0
    return Contribution(
        rule=rule,
        kind=kind,
        label=source.label,
        dimension=dimension,
        group=group,
        points=points,
        raw=exact,
        limited=exact,
        decayed=exact,
    )


def _engagement_line(
    dimension: str, points: int, rule: EngagementRule, evaluation: Evaluation
) -> Contribution:
    account = evaluation.accounts[rule.id]
    return Contribution(
        rule=rule.id,
        kind="engagement",
        label=rule.label,
        dimension=dimension,
        group=rule.group,
        points=points,
        count=account.matched,
        paid=account.paid,
        last_at=datetime.fromtimestamp(account.last[0], UTC) if account.last else None,
        event_ids=tuple(EventId(UUID(bytes=event_id)) for _, event_id in account.newest),
        raw=account.raw,
        limited=account.limited,
        decayed=evaluation.values[rule.id],
    )


def apportion(exact: Sequence[float], total: int) -> list[int]:
    """Whole numbers near the exact ones that add up to `total`: largest remainder first.

    Exact numbers are rounded to a millionth before, so that noise in the last bits moves no point.
    """
    steady = [round(part, 6) for part in exact]
    points = [math.floor(part) for part in steady]
    missing = total - sum(points)
    order = sorted(range(len(points)), key=lambda i: (round(points[i] - steady[i], 6), -abs(steady[i]), i))
    for turn in range(missing):
        points[order[turn % len(order)]] += 1
    for turn in range(-missing):
        points[order[-1 - turn % len(order)]] -= 1
    return points
