"""A finished tally → the plan, as text, JSON and page tell it (pure).

In: the sum of all tallies, and what was compared. Out: `Plan`, in numbers and plain sentences.
Refuses to hide what it left out: anonymous visitors, queues that are off.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from services.cli.model.plan.tally import BINS, Mover, Pair, Tally
from shared.scoring.definition.stages import STAGE_NAMES

STAGE_WORDS: Final[Mapping[str, str]] = {
    "visitor": "visitor",
    "lead": "lead",
    "recycled": "recycled",
    "mql": "MQL",
    "pql": "PQL",
    "service_qualified": "service-qualified",
    "sal": "SAL",
    "sql": "SQL",
    "disqualified": "disqualified",
    "opportunity": "opportunity",
    "customer": "customer",
}
MINUS: Final = "\N{MINUS SIGN}"
_RANKS: Final[Mapping[str, int]] = {name: rank for rank, name in enumerate(STAGE_NAMES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was compared, when, and over which days (UTC).

    anonymous:  visitors that nobody knows; they have no stage to lose and are not in the figures
    off:        queues whose address is not set where the plan was made
    """

    active: str
    draft: str
    at: datetime
    begin: date
    days: int
    anonymous: int
    off: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Leads that publishing moves from one stage to another, and those whose score moves most with it."""

    before: str
    after: str
    leads: int
    examples: tuple[Mover, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a queue gets.

    days:    (before, after) for each day
    burst:   at the moment of publishing, if transitions are routed then
    """

    queue: str
    off: bool
    days: tuple[tuple[int, int], ...]
    burst: int

    @property
    def average(self) -> tuple[float, float]:
        """Transitions a day, before and after."""
        count = max(len(self.days), 1)
        return sum(day[0] for day in self.days) / count, sum(day[1] for day in self.days) / count

    @property
    def worst(self) -> tuple[int, int]:
        """The most on one day, before and after."""
        return max((day[0] for day in self.days), default=0), max((day[1] for day in self.days), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What publishing would do.

    flows:     the largest first; without leads that stay
    matrix:    stage before → stage after → leads, those that stay among them, in the order of stages
    scores:    (before, after): leads per 10 points; grades: grade → the same
    entered:   stage → times it was entered in all those days, before and after
    """

    compared: Compared
    leads: int
    events: int
    higher: int
    lower: int
    moved: int
    flows: tuple[Flow, ...]
    matrix: dict[str, dict[str, int]]
    scores: tuple[tuple[int, int], ...]
    grades: dict[str, tuple[int, int]]
    entered: dict[str, tuple[int, int]]
    load: tuple[Load, ...]
    movers: tuple[Mover, ...]

    @property
    def changes_nothing(self) -> bool:
        """No score, no grade, no stage, and no day of a queue is different."""
        numbers = [*self.scores, *self.grades.values(), *self.entered.values()]
        numbers += [day for load in self.load for day in load.days]
        same = all(before == after for before, after in numbers)
        return same and not (self.moved or self.higher or self.lower)


def findings(tally: Tally, compared: Compared) -> Plan:
    """The plan that this tally makes."""
    flows = sorted(_flows(tally), key=lambda flow: (-flow.leads, _RANKS[flow.before], _RANKS[flow.after]))
    return Plan(
        compared=compared,
        leads=tally.leads,
        events=tally.events,
        higher=tally.higher,
        lower=tally.lower,
        moved=sum(flow.leads for flow in flows),
        flows=tuple(flows),
        matrix=_matrix(tally),
        scores=tuple((before, after) for before, after in tally.scores),
        grades={grade: _pair(tally.grades[grade]) for grade in sorted(tally.grades)},
        entered={stage: _pair(tally.entered[stage]) for stage in _in_order(tally.entered)},
        load=tuple(_load(tally, compared)),
        movers=tuple(tally.movers),
    )


def document(plan: Plan) -> bytes:
    """The plan as JSON for programs: everything in it, and what follows from it."""
    content = msgspec.to_builtins(plan)
    for entry, load in zip(content["load"], plan.load, strict=True):
        entry["average"], entry["worst"] = load.average, load.worst
    content["headline"] = headline(plan)
    content["changes_nothing"] = plan.changes_nothing
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def bins() -> list[str]:
    """The names of the bins of scores: "0-9" to "90-100"."""
    return [f"{low * 10}-{low * 10 + 9 + (low == BINS - 1)}" for low in range(BINS)]


def dates(compared: Compared) -> list[date]:
    """The days, oldest first."""
    return [compared.begin + timedelta(days=day) for day in range(compared.days)]


def headline(plan: Plan) -> str:
    """The plan in one or two sentences."""
    if plan.changes_nothing:
        return f"Publishing this changes nothing: {counted(plan.leads, 'lead')} keep score, grade and stage."
    parts = [f"{counted(plan.moved, 'lead')} {_verb(plan.moved, 'move')}" if plan.moved else "no lead moves"]
    parts += [f"{number:,} become {STAGE_WORDS[stage]}" for stage, number in _arrivals(plan)[:2]]
    parts += [words for load in plan.load if not load.off and (words := _more_or_less(load))][:2]
    return f"If you publish this now: {', '.join(parts)}."


def counted(number: int, what: str) -> str:
    """`1 lead`, `1,204 leads`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def signed(number: float) -> str:
    """`+6.2`, `+3`, `0`: a difference for people; the minus is as wide as the plus."""
    text = f"{abs(number):,.1f}".removesuffix(".0")
    return "0" if text == "0" else f"{'+' if number > 0 else MINUS}{text}"


def _arrivals(plan: Plan) -> list[tuple[str, int]]:
    """Stages that leads move to at once, and how many, the most first."""
    into: dict[str, int] = {}
    for flow in plan.flows:
        into[flow.after] = into.get(flow.after, 0) + flow.leads
    return sorted(into.items(), key=lambda item: (-item[1], _RANKS[item[0]]))


def _more_or_less(load: Load) -> str:
    before, after = load.average
    change = round(after - before, 1)
    what = f"{load.queue} gets {abs(change):,g} {'more' if change > 0 else 'fewer'} a day"
    return what if change else ""


def _verb(number: int, verb: str) -> str:
    return f"{verb}s" if number == 1 else verb


def _flows(tally: Tally) -> Iterator[Flow]:
    for before, ways in tally.flow.items():
        for after, leads in ways.items():
            if before != after:
                examples = tuple(tally.changers.get(before, {}).get(after, ()))
                yield Flow(before=before, after=after, leads=leads, examples=examples)


def _matrix(tally: Tally) -> dict[str, dict[str, int]]:
    """Every stage that has leads before or after, against every such stage."""
    present = _in_order({*tally.flow, *(after for ways in tally.flow.values() for after in ways)})
    return {
        before: {after: tally.flow.get(before, {}).get(after, 0) for after in present} for before in present
    }


def _load(tally: Tally, compared: Compared) -> Iterator[Load]:
    for queue in sorted(tally.load, key=lambda name: (name in compared.off, name)):
        yield Load(
            queue=queue,
            off=queue in compared.off,
            days=tuple(_pair(day) for day in tally.load[queue]),
            burst=tally.burst[queue],
        )


def _in_order(stages: Iterable[str]) -> list[str]:
    return sorted(stages, key=lambda stage: _RANKS[stage])


def _pair(pair: Pair) -> tuple[int, int]:
    return pair[0], pair[1]
