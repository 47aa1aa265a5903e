"""Breaks a score down into contributions in whole points that add up to it.

In: the points of rules and the sums they were clamped to. Out: `Contribution` lines.
Refuses to hide a clamp: what a group, a dimension or the score's own bounds took or gave is a line.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from shared.ids import EventId
from shared.scoring.definition.rules import Dimension, EngagementRule, FitRule, Group, Label
from shared.scoring.definition.stages import SCORE
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import OBJECTION, left_out
from shared.scoring.engine.points import Sums, Terms, shown_of, weighted, whole
from shared.scoring.engine.state import LeadState, RuleState, Stamp
from shared.scoring.engine.value_limit import things_of

ContributionKind = Literal[
    "engagement", "fit", "group_limit", "dimension_limit", "score_limit", "consent", "objection"
]


_SCORE: Final[Label] = {"en": "Score", "de": "Score"}
_OBJECTION: Final[Label] = {"en": "Objection", "de": "Widerspruch"}


class Contribution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of a receipt: what it adds to the score, and why.

    rule:       id of the rule; for a limit its own words, such as "group limit web"; "consent <purpose>" for
                what consent left out, "objection" or "objection withdrawn" for an objection
    points:     whole points of the score; all contributions add up to it
    count:      events that met the rule, `paid` those that its limit let through; `things` how many different
                values they had, where the limit is one for each value of a field and has no windows
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
    things: int = 0
    last_at: datetime | None = None
    event_ids: tuple[EventId, ...] = ()
    raw: float = 0.0
    limited: float = 0.0
    decayed: float = 0.0


Source = EngagementRule | FitRule | Group | Dimension
Part = tuple[float, Source, RuleState | None]
"""Exact points, before the weight of their dimension; where they come from; what is kept about it."""


def contributions(
    model: Compiled, terms: Terms, values: Sequence[float], sums: Sums
) -> tuple[Contribution, ...]:
    """The lines that add up to the score, largest first within each dimension, without those of 0 points.

    values:  exact points of each rule of `terms.met`
    sums:    what they were added up and clamped to
    """
    shown = shown_of(model, sums)
    uncut = whole(weighted(model, shown))
    shares = apportion([each.weight * shown[each.id] for each in model.model.dimensions], uncut)
    receipt: list[Contribution] = []
    parts = _parts(model, terms, values, sums)
    for dimension, share, here in zip(model.model.dimensions, shares, parts, strict=True):
        points = apportion([dimension.weight * part[0] for part in here], share)
        lines = [(each, part) for each, part in zip(points, here, strict=True) if each]
        lines.sort(key=_largest_first)
        receipt += [_line(dimension.id, each, part) for each, part in lines]
    if shown[SCORE] != uncut:
        receipt.append(_score_limit(shown[SCORE] - uncut))
    return tuple(receipt)


def _parts(model: Compiled, terms: Terms, values: Sequence[float], sums: Sums) -> list[list[Part]]:
    """What each dimension is made of: rules, then what clamps took or gave."""
    parts: list[list[Part]] = [[] for _ in model.model.dimensions]
    sides = model.dimension_of_group
    fits = terms.fits
    for (term, rule_state), exact in zip(terms.met, values, strict=True):
        if exact:
            parts[sides[term.room]].append((exact, term.rule, rule_state))
    for room, fit in zip(fits.rooms, fits.rules, strict=True):
        if fit.points:
            parts[sides[room]].append((fit.points, fit, None))
    for side, group, asked, granted in zip(
        sides, model.model.groups, sums.groups_asked, sums.groups_granted, strict=True
    ):
        if asked != granted:
            parts[side].append((granted - asked, group, None))
    for here, dimension, asked, granted in zip(
        parts, model.model.dimensions, sums.dimensions_asked, sums.dimensions_granted, strict=True
    ):
        if asked != granted:
            here.append((granted - asked, dimension, None))
    return parts


def _largest_first(line: tuple[int, Part]) -> int:
    return -line[0]


def _line(dimension: str, points: int, part: Part) -> Contribution:
    """One line with all that is known about it."""
    exact, source, rule_state = part
    if rule_state is not None:
        return _engagement_line(dimension, points, part, rule_state)
    kind: ContributionKind
    rule, group = source.id, ""
    match source:
        case EngagementRule() | FitRule():
            kind, group = "fit", source.group
        case Group():
            kind, rule, group = "group_limit", f"group limit {source.id}", source.id
        case Dimension():
            kind, rule = "dimension_limit", f"dimension limit {source.id}"
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


def _engagement_line(dimension: str, points: int, part: Part, rule_state: RuleState) -> Contribution:
    exact, rule, _ = part
    return Contribution(
        rule=rule.id,
        kind="engagement",
        label=rule.label,
        dimension=dimension,
        group=getattr(rule, "group", ""),
        points=points,
        count=rule_state.matched,
        paid=rule_state.paid,
        things=things_of(rule, rule_state) if isinstance(rule, EngagementRule) else 0,
        last_at=_moment(rule_state.last),
        event_ids=tuple([EventId(UUID(int=int.from_bytes(each))) for _, each in rule_state.newest]),
        raw=rule_state.raw,
        limited=rule_state.limited,
        decayed=exact,
    )


def _score_limit(points: int) -> Contribution:
    return Contribution(
        rule="score limit", kind="score_limit", label=_SCORE, dimension="", group="", points=points
    )


def about_consent(model: Compiled, state: LeadState) -> tuple[Contribution, ...]:
    """Lines of no points: an objection, and what each purpose left out."""
    lines = [
        Contribution(
            rule=f"consent {each.purpose.id}",
            kind="consent",
            label=each.purpose.label,
            dimension="",
            group="",
            points=0,
            count=each.count,
            last_at=_moment(each.last),
        )
        for each in left_out(model.purposes, state)
    ]
    objection = state.consent.get(OBJECTION)
    if objection and objection.since:
        lines.insert(
            0,
            Contribution(
                rule="objection" if objection.withdrawals else "objection withdrawn",
                kind="objection",
                label=_OBJECTION,
                dimension="",
                group="",
                points=0,
                last_at=_moment(objection.since),
            ),
        )
    return tuple(lines)


def _moment(stamp: Stamp | None) -> datetime | None:
    return datetime.fromtimestamp(stamp[0], UTC) if stamp else None


def apportion(exact: Sequence[float], total: int) -> list[int]:
    """Whole numbers near the exact ones that add up to `total`: largest remainder first.

    Exact numbers are rounded to a millionth before, so that noise in the last bits moves no point.
    """
    steady = [round(part, 6) for part in exact]
    points = [math.floor(part) for part in steady]
    missing = total - sum(points)
    if not missing:
        return points
    order = sorted(range(len(points)), key=lambda i: (round(points[i] - steady[i], 6), -abs(steady[i]), i))
    for turn in range(missing):
        points[order[turn % len(order)]] += 1
    for turn in range(-missing):
        points[order[-1 - turn % len(order)]] -= 1
    return points
