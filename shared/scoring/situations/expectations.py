"""What the author of a situation expects, beside what was seen → where they differ.

In: `Expected`, as it was written; an `Observed`. Out: `Difference`s, both sides as lines of the file.
Refuses to compare what was not asked: of an entry only the names that are written count. Receipts, sentences
and stages must be all there are; of what is nearest, the first ones.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, Final

from shared.scoring.situations.observed import Details, Observed
from shared.scoring.situations.shape import NEVER, UNITS_S
from shared.scoring.words.receipts import Language

_DATE_CHARS: Final = len("2026-11-23")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What should be so; None and nothing: not asked.

    score:        the least and the most
    receipts:     rule → details of its line
    stages:       details of each transition
    next_change:  details of the next move by time alone; empty if there is to be none
    """

    score: tuple[float, float] | None = None
    dimensions: Mapping[str, int] = field(default_factory=dict)
    grade: str | None = None
    receipts: Mapping[str, Details] | None = None
    sentences: Mapping[Language, Sequence[str]] = field(default_factory=dict)
    stages: Sequence[Details] | None = None
    causes: Sequence[str] | None = None
    nearest: Sequence[Details] | None = None
    next_change: Details | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One expectation that does not hold: both sides line by line, written as in the file."""

    what: str
    expected: tuple[str, ...]
    seen: tuple[str, ...]


def differences(expected: Expected, outcome: Observed) -> Iterator[Difference]:
    """Every expectation that does not hold, in the order of a receipt: numbers, reasons, stages."""
    yield from _numbers(expected, outcome)
    if expected.receipts is not None:
        yield from _receipts(expected.receipts, outcome.receipt())
    for language, sentences in expected.sentences.items():
        yield from compared(f"sentences {language}", sentences, outcome.sentences(language))
    if expected.stages is not None:
        yield from _listed("stages", expected.stages, outcome.transitions())
    if expected.causes is not None:
        causes = [step.transition.cause for step in outcome.life.steps]
        yield from compared("causes", expected.causes, causes)
    if expected.nearest is not None:
        yield from _listed("nearest", expected.nearest, _first(outcome.nearest(), len(expected.nearest)))
    if expected.next_change is not None:
        yield from _next_change(expected.next_change, outcome.next_change())


def compared(what: str, expected: Sequence[str], seen: Sequence[str]) -> Iterator[Difference]:
    """The difference between these lines, if there is one."""
    if list(expected) != list(seen):
        yield Difference(what=what, expected=tuple(expected), seen=tuple(seen))


def _numbers(expected: Expected, outcome: Observed) -> Iterator[Difference]:
    found = outcome.score
    if expected.score is not None:
        least, most = expected.score
        if not least <= found.total <= most:
            yield Difference(what="score", expected=(_range(least, most),), seen=(str(found.total),))
    for name, points in expected.dimensions.items():
        yield from compared(f"dimension {name}", [str(points)], [str(found.dimensions[name])])
    if expected.grade is not None:
        yield from compared("grade", [expected.grade], [found.grade])


def _range(least: float, most: float) -> str:
    """Bounds as a person would say them."""
    if least == most:
        return f"{least:g}"
    bounds = {"at least": least, "at most": most}
    return ", ".join(f"{words} {points:g}" for words, points in bounds.items() if math.isfinite(points))


def _receipts(expected: Mapping[str, Details], seen: Mapping[str, Details]) -> Iterator[Difference]:
    """Line by line in the order of the receipt: the order in the file means nothing."""
    names = [*seen, *(name for name in expected if name not in seen)]
    wanted = [f"{name}: {_written(expected[name])}" for name in names if name in expected]
    found = [
        f"{name}: {_written(_as_asked(expected.get(name, {'points': 0}), line))}"
        for name, line in seen.items()
    ]
    yield from compared("receipts", wanted, found)


def _listed(what: str, expected: Sequence[Details], seen: Sequence[Details]) -> Iterator[Difference]:
    """Entry by entry; one that was not expected is told by its first name, `stage` or `rule`."""
    found = [
        _written(_as_asked(wish or {next(iter(entry)): ""}, entry))
        for wish, entry in zip_longest(expected, seen)
        if entry
    ]
    yield from compared(what, [_written(each) for each in expected], found)


def _first(nearest: Sequence[Details], asked: int) -> Sequence[Details]:
    """As many as were asked for; all of them where none was expected."""
    return nearest[: asked or None]


def _next_change(expected: Details, seen: Details) -> Iterator[Difference]:
    found = _as_asked(expected or {"to": "", "in": "1h"}, seen) if seen else {}
    yield from compared("next_change", [_written(expected) or NEVER], [_written(found) or NEVER])


def _as_asked(expected: Details, seen: Details) -> Details:
    """Of what was seen that which was asked for, in the units in which it was asked."""
    return {name: _as_written(wish, seen[name]) for name, wish in expected.items()}


def _as_written(wish: Any, seen: Any) -> Any:
    """A seen value as the author would have written it: spans in whole units, rounded down."""
    if isinstance(seen, timedelta):
        unit = wish[-1] if wish else "s"
        return f"{seen // timedelta(seconds=UNITS_S[unit])}{unit}"
    if isinstance(seen, datetime):
        form = "%Y-%m-%d" if len(wish) == _DATE_CHARS else "%Y-%m-%dT%H:%M:%SZ"
        return seen.astimezone(UTC).strftime(form)
    if isinstance(seen, list):
        return [_as_written(each, value) for each, value in zip_longest(wish, seen) if value is not None]
    return seen


def _written(details: Details) -> str:
    """Details as they stand in the file: a single value by itself."""
    values = {name: _value(value) for name, value in details.items()}
    if len(values) == 1:
        return next(iter(values.values()))
    return f"{{{', '.join(f'{name}: {value}' for name, value in values.items())}}}" if values else ""


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
