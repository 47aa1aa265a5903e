"""Stages that send leads round in a cycle by themselves, for ever and without a single event.

In: a model. Out: cycles: those that are mistakes, and those that are slow enough to be meant.
Refuses to tell what only might be: each cycle was walked, with the engine's own idea of which lines hold,
at points that the model's rules can give.

How: the numbers at which lines change their mind are tried one by one, as many as there is time for, and
then those at which two moves hold together, which is what most cycles need. At fixed numbers every stage has
at most one next move (the one whose wait ends first), so a walk of as many steps as there are stages ends
somewhere or is in a cycle.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice, product
from typing import Any, Final

from shared.scoring.analysis.reach import least, most, resting
from shared.scoring.analysis.satisfiable import examples
from shared.scoring.definition.conditions import ALWAYS, All
from shared.scoring.definition.stages import SCORE, Move, Path, StageName
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.points import weighted, whole
from shared.scoring.engine.transitions import LineFacts, holds

Reach = Mapping[str, float]

# How many moves may be tried one by one, and twice as many for pairs: that takes some tenths of a second.
_MOST_TRIES: Final = 24_000
_BEYOND: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Moves that follow each other for ever.

    stages:  where each move begins
    shown:   the points at which they do, of those that their lines look at
    """

    stages: tuple[StageName, ...]
    moves: tuple[Move, ...]
    shown: Mapping[str, int]

    @property
    def place(self) -> Path:
        return self.moves[0].place

    @property
    def waits(self) -> bool:
        """Each of its moves takes time."""
        return all(move.after_s for move in self.moves)

    def words(self, line_of: Callable[[Path], int]) -> str:
        """The cycle as a sentence, each move with its line in the file."""
        steps = [f"{move.to} (line {line_of(move.place)})" for move in self.moves]
        points = [f"{name} {value}" for name, value in self.shown.items()]
        when = f"for leads with {', '.join(points)}" if points else "by time alone"
        return (
            f"cycle: {' -> '.join([self.stages[0], *steps])}, for ever, {when}. "
            "Let one of these moves need an event, or lines that exclude each other"
        )


def endless(model: Compiled) -> list[Cycle]:
    """Circles that are mistakes: of score lines that hold together, or of time limits and lower lines."""
    found = _cycles(model, (least(model.model), most(model.model)))
    return [each for each in found if not {"enter", "limit"} <= {move.kind for move in each.moves}]


def slow(model: Compiled) -> list[Cycle]:
    """Circles of a time limit and a way back in, for leads whose points do not age: perhaps meant."""
    found = _cycles(model, resting(model.model))
    return [each for each in found if {"enter", "limit"} <= {move.kind for move in each.moves}]


def _cycles(model: Compiled, reach: tuple[Reach, Reach]) -> list[Cycle]:
    """Every cycle within this reach, each once, with its earliest line in the file first."""
    found: dict[frozenset[Path], Cycle] = {}
    moves = [move for stage in model.stages for move in stage.moves if not move.event]
    profiles = _profiles(moves)
    tries = max(1, _MOST_TRIES // max(1, len(moves)) // len(profiles))
    turns = _turns(model, moves)
    one_by_one = islice(_standings(model, turns, reach), tries)
    together = _together(model, turns, islice(combinations(moves, 2), tries), reach)
    for facts in _line_facts(chain(one_by_one, together), profiles):
        following = {stage.name: _next(model, stage.name, facts) for stage in model.stages}
        for walk in _round_walks(following):
            key = frozenset(move.place for _, move in walk)
            found.setdefault(key, _cycle(walk, facts))
    return list(found.values())


def _next(model: Compiled, stage: StageName, facts: LineFacts) -> Move | None:
    """Where a lead goes from here without an event: the first of the moves with the shortest wait."""
    due = [move for move in model.moves[stage] if not move.event and holds(model, move, facts)]
    return min(due, key=lambda move: move.after_s, default=None)


def _round_walks(following: Mapping[StageName, Move | None]) -> Iterator[list[tuple[StageName, Move]]]:
    """The cycles among these steps."""
    for start in following:
        walk: list[tuple[StageName, Move]] = []
        stage = start
        while (move := following.get(stage)) and len(walk) < len(following):
            walk.append((stage, move))
            stage = move.to
            if stage == start:
                yield walk
                break


def _cycle(walk: Sequence[tuple[StageName, Move]], facts: LineFacts) -> Cycle:
    first = min(range(len(walk)), key=lambda position: _rank(walk[position][1]))
    in_order = [*walk[first:], *walk[:first]]
    lines = [move.line for _, move in in_order]
    names = {name for line in lines for name in (*line.at_least, *line.below)}
    names |= {"fit", "engagement"} if any(line.grades for line in lines) else set()
    return Cycle(
        stages=tuple(stage for stage, _ in in_order),
        moves=tuple(move for _, move in in_order),
        shown={name: value for name, value in facts.bounds[0].items() if name in names},
    )


def _rank(move: Move) -> tuple[bool, list[str]]:
    """Where to begin to tell: with a way out of the stage that it stands at, the first of the file."""
    return move.kind == "enter", list(map(str, move.place))


def _line_facts(
    standings: Iterable[Mapping[str, int]], profiles: Sequence[Mapping[str, Any]]
) -> Iterator[LineFacts]:
    """Each of these points, for each of these profiles."""
    for shown in standings:
        for profile in profiles:
            yield LineFacts(bounds=(shown, shown), profile=profile)


def _profiles(moves: Sequence[Move]) -> list[Mapping[str, Any]]:
    """Nobody in particular, one for each line that looks at the profile, and one for all of them."""
    conditions = list(dict.fromkeys(move.line.profile for move in moves))
    conditions = [condition for condition in conditions if condition != ALWAYS]
    single = [found for condition in conditions for found in examples(condition)[:1]]
    together = examples(All(parts=tuple(conditions)))[:1] if len(conditions) > 1 else []
    return [{}, *together, *single]


def _turns(model: Compiled, moves: Sequence[Move]) -> dict[str, set[int]]:
    """The points at which lines change their mind, and those below."""
    lines = [line for move in moves for line in (move.line, *move.unless)]
    turns: dict[str, set[int]] = {}
    for line in lines:
        for name, points in (*line.at_least.items(), *line.below.items()):
            turns.setdefault(name, set()).update({points, points - 1})
        if line.grades:
            for name, letters in (("fit", model.grades.letters), ("engagement", model.grades.numbers)):
                turns.setdefault(name, set()).update(each - less for each in letters for less in (0, 1))
    return turns


def _standings(
    model: Compiled, turns: Mapping[str, set[int]], reach: tuple[Reach, Reach]
) -> Iterator[dict[str, int]]:
    """Every combination of points on, above and below the lines, as far as the rules can give them."""
    low, high = reach
    choices = {
        name: sorted(
            value
            for value in {0, _finite(low[name]), _finite(high[name]), *values}
            if low[name] <= value <= high[name]
        )
        for name, values in turns.items()
    }
    for combination in product(*choices.values()):
        shown = dict(zip(choices, combination, strict=True))
        if SCORE in shown:
            least_score, most_score = _possible(model, shown, reach)
            if not least_score <= shown[SCORE] <= most_score:
                continue
        yield shown


def _together(
    model: Compiled, names: Iterable[str], pairs: Iterable[tuple[Move, Move]], reach: tuple[Reach, Reach]
) -> Iterator[dict[str, int]]:
    """For each two moves the fewest and the most points at which both hold, if the rules can give any."""
    for two in pairs:
        lowest = {name: max(_finite(reach[0][name]), *(_from(move, name) for move in two)) for name in names}
        highest = {
            name: min(_finite(reach[1][name]), *(_up_to(move, name) for move in two)) for name in names
        }
        if any(lowest[name] > highest[name] for name in names):
            continue
        nearest = {name: max(lowest[name], min(0, highest[name])) for name in names}
        for shown in (nearest, highest):
            if SCORE not in names:
                yield shown
                continue
            least_score, most_score = _possible(model, shown, reach)
            score = max(lowest[SCORE], least_score)
            if score <= min(highest[SCORE], most_score):
                yield {**shown, SCORE: score}


def _from(move: Move, name: str) -> int:
    return move.line.at_least.get(name, -_BEYOND)


def _up_to(move: Move, name: str) -> int:
    return move.line.below.get(name, _BEYOND + 1) - 1


def _finite(points: float) -> int:
    return int(max(-_BEYOND, min(_BEYOND, points)))


def _possible(model: Compiled, shown: Mapping[str, int], reach: tuple[Reach, Reach]) -> tuple[int, int]:
    """The least and the most score with these dimensions, whatever the others are."""
    ends = []
    for end in reach:
        filled = {each.id: shown.get(each.id, _finite(end[each.id])) for each in model.dimensions}
        ends.append(max(0, min(100, whole(weighted(model, filled)))))
    return ends[0], ends[1]
