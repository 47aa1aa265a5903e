"""Many replayed leads → counts, and the few leads that are worth showing (pure).

In: `Replayed` leads, one after the other; tallies of others. Out: a `Tally` that can travel as bytes.
Refuses to grow with the number of leads: it holds counters, and the leads that move most.

Tallies add up in any order and any grouping: however the leads are split among workers, the sum is the same.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from services.cli.model.plan.replay import Place, Replayed
from shared.scoring.engine.contributions import Contribution
from shared.scoring.engine.score import evaluate

Value = TypeVar("Value")

BINS: Final = 10
_BIN_POINTS: Final = 10
MOST_MOVERS: Final = 20
MOST_PER_FLOW: Final = 5
_MOST_LINES: Final = 3

Pair = list[int]
"""[before, after]"""


class Line(msgspec.Struct, frozen=True):
    """A line of the receipt that the draft changes: whole points of the score before and after."""

    rule: str
    label: str
    before: int
    after: int


class Mover(msgspec.Struct, frozen=True, kw_only=True):
    """One lead, before and after publishing.

    email:  only where it was asked for
    lines:  those that differ most, largest difference first
    """

    lead: str
    email: str | None
    stages: tuple[str, str]
    scores: tuple[int, int]
    grades: tuple[str, str]
    lines: tuple[Line, ...]

    @property
    def rank(self) -> tuple[int, str]:
        """Who moves more comes first; between equals the id decides, so that the order is always the same."""
        return (-abs(self.scores[1] - self.scores[0]), self.lead)


class Tally(msgspec.Struct, kw_only=True):
    """What is known so far.

    leads, events:  known leads looked at, and their events
    higher, lower:  leads whose score is higher or lower under the draft
    flow:           stage before → stage after → leads, those that stay among them
    scores:         leads per 10 points of the score; the last bin has 90 to 100
    grades:         grade → leads
    entered:        stage → times it was entered in all those days
    load:           queue → for each day, transitions it gets
    burst:          queue → transitions it gets at the moment of publishing, if they are routed
    movers:         leads whose score moves most
    changers:       stage before → stage after → leads that go this way, largest difference of score first
    """

    leads: int = 0
    events: int = 0
    higher: int = 0
    lower: int = 0
    flow: dict[str, dict[str, int]] = {}
    scores: list[Pair] = msgspec.field(default_factory=lambda: [[0, 0] for _ in range(BINS)])
    grades: dict[str, Pair] = {}
    entered: dict[str, Pair] = {}
    load: dict[str, list[Pair]] = {}
    burst: dict[str, int] = {}
    movers: list[Mover] = []
    changers: dict[str, dict[str, list[Mover]]] = {}


def empty(queues: Iterable[str], days: int) -> Tally:
    """Nothing counted yet; every queue is there from the start, busy or not."""
    names = sorted(queues)
    load = {queue: [[0, 0] for _ in range(days)] for queue in names}
    return Tally(load=load, burst=dict.fromkeys(names, 0))


def count(tally: Tally, one: Replayed, now: datetime, *, emails: bool) -> None:
    """Add one lead.

    now:     the moment of its receipts
    emails:  show the address of a lead that is shown
    """
    tally.leads += 1
    tally.events += len(one.history)
    tally.higher += one.difference > 0
    tally.lower += one.difference < 0
    ways = tally.flow.setdefault(one.before.stage, {})
    ways[one.after.stage] = ways.get(one.after.stage, 0) + 1
    for side, place in enumerate((one.before, one.after)):
        tally.scores[min(place.standing.total // _BIN_POINTS, BINS - 1)][side] += 1
        tally.grades.setdefault(place.standing.grade, [0, 0])[side] += 1
        for passed in one.lived[side]:
            tally.entered.setdefault(passed.stage, [0, 0])[side] += 1
            for queue in passed.queues:
                tally.load[queue][passed.day][side] += 1
    for queue in one.burst:
        tally.burst[queue] += 1
    _show(tally, one, now, emails=emails)


def _show(tally: Tally, one: Replayed, now: datetime, *, emails: bool) -> None:
    """Keep the lead if it is among those that are shown; receipts are made for no other."""
    rank = (-abs(one.difference), str(one.lead))
    boards = []
    if one.difference:
        boards.append((tally.movers, MOST_MOVERS))
    if one.before.stage != one.after.stage:
        ways = tally.changers.setdefault(one.before.stage, {})
        boards.append((ways.setdefault(one.after.stage, []), MOST_PER_FLOW))
    wanted = [(board, most) for board, most in boards if len(board) < most or rank < board[-1].rank]
    if wanted:
        shown = mover(one, now, emails=emails)
        for board, most in wanted:
            insort(board, shown, key=_rank)
            del board[most:]


def mover(one: Replayed, now: datetime, *, emails: bool) -> Mover:
    """The lead as it is shown."""
    addresses = [event.email for event in one.history if event.email]
    return Mover(
        lead=str(one.lead),
        email=addresses[-1] if emails and addresses else None,
        stages=(one.before.stage, one.after.stage),
        scores=(one.before.standing.total, one.after.standing.total),
        grades=(one.before.standing.grade, one.after.standing.grade),
        lines=_lines(one, now),
    )


def _lines(one: Replayed, now: datetime) -> tuple[Line, ...]:
    """The lines of the receipt that differ most."""
    before, after = _receipt(one.before, now), _receipt(one.after, now)
    lines = [
        Line(
            rule=rule,
            label=_label(line),
            before=before[rule].points if rule in before else 0,
            after=after[rule].points if rule in after else 0,
        )
        for rule, line in {**before, **after}.items()
    ]
    changed = [line for line in lines if line.before != line.after]
    changed.sort(key=lambda line: (-abs(line.after - line.before), line.rule))
    return tuple(changed[:_MOST_LINES])


def _receipt(place: Place, now: datetime) -> dict[str, Contribution]:
    return {line.rule: line for line in evaluate(place.model, place.state, now).contributions}


def _label(line: Contribution) -> str:
    """The line in words, without its count: what a limit took away is called by its own name."""
    if line.kind.endswith("_limit"):
        return line.rule
    return " ".join(line.label["en"].replace("{times}", "").split())


def merge(one: Tally, other: Tally) -> Tally:
    """Both together."""
    return Tally(
        leads=one.leads + other.leads,
        events=one.events + other.events,
        higher=one.higher + other.higher,
        lower=one.lower + other.lower,
        flow=_merged(one.flow, other.flow, lambda a, b: _merged(a, b, int.__add__)),
        scores=_pairs(one.scores, other.scores),
        grades=_merged(one.grades, other.grades, _pair),
        entered=_merged(one.entered, other.entered, _pair),
        load=_merged(one.load, other.load, _pairs),
        burst=_merged(one.burst, other.burst, int.__add__),
        movers=_best(one.movers, other.movers, MOST_MOVERS),
        changers=_merged(
            one.changers,
            other.changers,
            lambda a, b: _merged(a, b, lambda c, d: _best(c, d, MOST_PER_FLOW)),
        ),
    )


def _merged(
    one: Mapping[str, Value], other: Mapping[str, Value], join: Callable[[Value, Value], Value]
) -> dict[str, Value]:
    """The entries of both; where both have one, what joining makes of the two."""
    merged = {**one, **other}
    for key in one.keys() & other.keys():
        merged[key] = join(one[key], other[key])
    return merged


def _pair(one: Pair, other: Pair) -> Pair:
    return [one[0] + other[0], one[1] + other[1]]


def _pairs(one: list[Pair], other: list[Pair]) -> list[Pair]:
    return [_pair(*both) for both in zip(one, other, strict=True)]


def _best(one: list[Mover], other: list[Mover], most: int) -> list[Mover]:
    return sorted([*one, *other], key=_rank)[:most]


def _rank(mover: Mover) -> tuple[int, str]:
    return mover.rank
