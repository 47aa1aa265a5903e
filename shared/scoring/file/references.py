"""What the parts of a model file say about each other: names that must exist, numbers that must agree.

In: the checked shape of the file, and every name that stands in it. Out: mistakes, each with its path.
It only finds them; shared/scoring/file/read.py raises.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.config_mistakes import Path, listing, short
from shared.scoring.definition.fields import EVENT_FIELDS, event_getter
from shared.scoring.definition.stages import SCORE
from shared.scoring.file.accounts import check_accounts
from shared.scoring.file.purposes import check_purposes
from shared.scoring.file.shape import (
    EngagementShape,
    EnterShape,
    LeaveShape,
    LineShape,
    ModelShape,
    StageShape,
)
from shared.scoring.file.values import Bounds

Mistake = tuple[Path, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names in the file, those of broken entries too: one mistake is not to be told twice."""

    dimensions: frozenset[str]
    groups: frozenset[str]
    stages: frozenset[str]
    lists: frozenset[str]
    purposes: frozenset[str]


def check_references(shape: ModelShape, names: Names) -> Iterator[Mistake]:
    """Every name that does not exist and every pair of numbers that contradict each other."""
    yield from _dimensions(shape, names)
    for name, group in shape.groups.items():
        if group.dimension not in names.dimensions:
            yield (
                ("groups", name, "dimension"),
                _unknown("dimension", group.dimension, "Dimensions", names.dimensions),
            )
        yield from _bounds(group.between, ("groups", name, "between"))
    yield from _rules(shape, names)
    yield from _grades(shape)
    for stage, details in shape.stages.items():
        yield from _stage(stage, details, names)
    if shape.accounts:
        yield from check_accounts(shape.accounts, names.lists)
    yield from check_purposes(shape, names.purposes)


def _dimensions(shape: ModelShape, names: Names) -> Iterator[Mistake]:
    for name, dimension in shape.dimensions.items():
        yield from _bounds(dimension.between, ("dimensions", name, "between"))
        if name == SCORE:
            yield ("dimensions", name), '"score" is the whole score. Call the dimension something else'
    for needed in ("fit", "engagement"):
        if needed not in names.dimensions:
            yield ("dimensions",), f'dimension "{needed}" is missing: grades are made of fit and engagement'


def _rules(shape: ModelShape, names: Names) -> Iterator[Mistake]:
    for section, rules in (("engagement", shape.engagement), ("fit", shape.fit)):
        for name, rule in rules.items():
            if rule.group not in names.groups:
                yield (section, name, "group"), _unknown("group", rule.group, "Groups", names.groups)
    for name in shape.engagement.keys() & shape.fit.keys():
        yield ("fit", name), "an engagement rule has this name too. Give each rule its own"
    for name, rule in shape.engagement.items():
        yield from _points(rule, ("engagement", name, "points"))
        yield from _bounds(rule.between, ("engagement", name, "between"))
        if rule.limit and rule.limit.for_each:
            yield from _field(rule.limit.for_each, ("engagement", name, "limit", "for_each"))


def _points(rule: EngagementShape, path: Path) -> Iterator[Mistake]:
    if isinstance(rule.points, float):
        return
    yield from _field(rule.points.by, (*path, "by"))
    yield from _bounds(getattr(rule.points, "between", None), (*path, "between"))


def _field(name: str, path: Path) -> Iterator[Mistake]:
    if event_getter(name) is None:
        yield path, f'events have no field "{short(name)}". Fields: {listing(name, EVENT_FIELDS)}'


def _bounds(between: Bounds | None, path: Path) -> Iterator[Mistake]:
    if between and between[0] > between[1]:
        yield path, f"between {between[0]:g} and {between[1]:g} is nothing. Write the smaller number first"


def _grades(shape: ModelShape) -> Iterator[Mistake]:
    fit, engagement = shape.grade.fit, shape.grade.engagement
    if not fit.A > fit.B > fit.C:
        yield (
            ("grade", "fit"),
            f"A {fit.A}, B {fit.B}, C {fit.C} do not fall. A better letter needs more points",
        )
    least = engagement.first, engagement.second, engagement.third
    if not least[0] > least[1] > least[2]:
        yield (
            ("grade", "engagement"),
            "1: {}, 2: {}, 3: {} do not fall. A better number needs more points".format(*least),
        )


def _stage(name: str, stage: StageShape, names: Names) -> Iterator[Mistake]:
    path: Path = ("stages", name)
    known = names.stages | {"lead"}
    if name == "visitor":
        yield path, "everybody begins as a visitor. Remove the entry"
    if name == "lead" and stage.enter:
        yield (*path, "enter"), "a visitor who becomes known is a lead. Remove the lines"
    for position, line in enumerate(stage.enter):
        yield from _enter(line, (*path, "enter", position), names)
    for position, way in enumerate(stage.leave):
        yield from _leave(name, way, (*path, "leave", position), names)
    if stage.limit and (stage.limit.to not in known or stage.limit.to == name):
        yield (*path, "limit", "to"), _unknown("stage", stage.limit.to, "Other stages", known - {name})


def _enter(line: EnterShape, path: Path, names: Names) -> Iterator[Mistake]:
    yield from _line(line, path, names)
    for source in line.from_ or ():
        if source not in names.stages | {"lead"} or source == path[1]:
            known = (names.stages | {"lead"}) - {str(path[1])}
            yield (*path, "from"), _unknown("stage", source, "Other stages", known)
    if (line.when or line.kind) and not line.event:
        yield path, "when and kind speak of an event. Add event:, or use profile:"
    if not (line.event or line.at_least or line.below or line.grade or line.profile):
        yield path, "would hold always. Add at_least, grade, profile or event"


def _leave(name: str, line: LeaveShape, path: Path, names: Names) -> Iterator[Mistake]:
    yield from _line(line, path, names)
    known = names.stages | {"lead"}
    if line.to not in known or line.to == name:
        yield (*path, "to"), _unknown("stage", line.to, "Other stages", known - {name})
    if not (line.at_least or line.below or line.grade or line.profile):
        yield path, "would hold always. Add below, grade or profile"


def _line(line: LineShape, path: Path, names: Names) -> Iterator[Mistake]:
    known = names.dimensions | {SCORE}
    for key, points in (("at_least", line.at_least), ("below", line.below)):
        for name, value in (points or {}).items():
            if name not in known:
                yield (*path, key, name), _unknown("dimension", name, "Known", known)
            elif name == SCORE and not 0 < value <= 100:
                yield (
                    (*path, key, name),
                    f"score {value} decides nothing. The score is 0 to 100; use 1 to 100",
                )


def _unknown(what: str, seen: str, plural: str, known: Iterable[str]) -> str:
    return f'unknown {what} "{short(seen)}". {plural}: {listing(seen, known)}'


def names_in(data: Mapping[str, object]) -> Names:
    """The names in a file's data, whatever else is wrong with the entries."""

    def keys(section: str) -> frozenset[str]:
        entries = data.get(section)
        return frozenset(entries) if isinstance(entries, Mapping) else frozenset()

    consent = data.get("consent")
    purposes = consent.get("purposes") if isinstance(consent, Mapping) else None
    return Names(
        dimensions=keys("dimensions"),
        groups=keys("groups"),
        stages=keys("stages"),
        lists=keys("lists"),
        purposes=frozenset(purposes) if isinstance(purposes, Mapping) else frozenset(),
    )
