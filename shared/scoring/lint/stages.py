"""What grades and stages say that their author can hardly have meant.

In: a model. Out: doubts, each with its path.
Refuses to doubt what the calendar or a person may still bring: an event can always come, a lead can
always be moved by hand.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from shared.scoring.analysis.reach import least, most
from shared.scoring.analysis.satisfiable import why_never
from shared.scoring.definition.model import Model
from shared.scoring.definition.stages import Grades, Line, Move, Stage, StageName
from shared.scoring.lint.rules import Doubt

Reach = Mapping[str, float]

# Where a lead may well stay for good.
_ENDS: Final = ("lead", "customer", "disqualified")


def doubts_about_stages(model: Model) -> Iterator[Doubt]:
    """Every doubt about the grades and stages of a model."""
    reach = least(model), most(model)
    yield from _grades_out_of_reach(model, reach)
    yield from _lines_out_of_reach(model, reach)
    yield from _never_entered(model, reach)
    yield from _never_left(model)
    yield from _without_hysteresis(model)
    yield from _bounces(model)


def _grades_out_of_reach(model: Model, reach: tuple[Reach, Reach]) -> Iterator[Doubt]:
    low, high = reach
    grades = model.grades
    for key, lines, signs in (("fit", grades.letters, "ABCD"), ("engagement", grades.numbers, "1234")):
        for sign, needed in zip(signs, lines, strict=False):
            if needed > high[key]:
                yield (
                    ("grade", key, sign),
                    f"{sign} needs {key} {needed}, but the most is {high[key]:g}. Lower it",
                )
        if lines[-1] <= low[key]:
            yield (
                ("grade", key, signs[2]),
                (
                    f"nobody gets {signs[3]}: {signs[2]} begins at {lines[-1]}, and the least {key} is "
                    f"{low[key]:g}. Raise it"
                ),
            )


def _lines_out_of_reach(model: Model, reach: tuple[Reach, Reach]) -> Iterator[Doubt]:
    told = set()
    for stage in model.stages:
        for move in stage.moves:
            words = why_line_never(move.line, model.grades, reach)
            if words and move.place not in told:
                told.add(move.place)
                yield move.place, words


def why_line_never(line: Line, grades: Grades, reach: tuple[Reach, Reach]) -> str:
    """Why nobody can ever be on this line, in words; empty if somebody may."""
    low, high = dict(reach[0]), dict(reach[1])
    for name, needed in line.at_least.items():
        if needed > high[name]:
            return (
                f"nobody can reach {name} {needed}, the most is {high[name]:g}. "
                "Lower the line, or give more points"
            )
        low[name] = max(low[name], needed)
    for name, under in line.below.items():
        if under <= reach[0][name]:
            return f"nobody can be below {name} {under}, the least is {reach[0][name]:g}. Raise the line"
        if under <= low[name]:
            return f"nobody has {name} {low[name]:g} and less than {under} at once. Change one of them"
        high[name] = min(high[name], under - 1)
    if line.grades and not line.grades & _grades_within(grades, low, high):
        wanted = " or ".join(sorted(line.grades))
        return f"nobody with these points has grade {wanted}. Change the points, or the grade"
    reason = why_never(line.profile)
    return f"nobody can fit the profile: {reason}. Use any: where one of them is enough" if reason else ""


def _grades_within(grades: Grades, low: Reach, high: Reach) -> set[str]:
    """Every grade that points within these bounds can have."""
    letters = [
        letter
        for letter, rank in zip("ABCD", _spans(grades.letters), strict=True)
        if rank[0] <= high["fit"] and low["fit"] < rank[1]
    ]
    numbers = [
        number
        for number, rank in zip("1234", _spans(grades.numbers), strict=True)
        if rank[0] <= high["engagement"] and low["engagement"] < rank[1]
    ]
    return {letter + number for letter in letters for number in numbers}


def _spans(lines: tuple[int, int, int]) -> list[tuple[float, float]]:
    """For each rank the least points that have it, and the least that have a better one."""
    edges = [float("inf"), *lines, float("-inf")]
    return [(edges[rank + 1], edges[rank]) for rank in range(4)]


def _never_entered(model: Model, reach: tuple[Reach, Reach]) -> Iterator[Doubt]:
    """Stages that no way leads to from where leads begin, except by hand."""
    possible: dict[StageName, list[StageName]] = {
        stage.name: [move.to for move in stage.moves if not why_line_never(move.line, model.grades, reach)]
        for stage in model.stages
    }
    reached: set[StageName] = {"lead"}
    new: list[StageName] = ["lead"]
    while new:
        new = [name for stage in new for name in possible.get(stage, ()) if name not in reached]
        reached.update(new)
    ways = {name for names in possible.values() for name in names}
    for stage in model.stages:
        if stage.name in reached:
            continue
        if stage.name in ways:
            yield (
                ("stages", stage.name),
                "all ways into it begin in stages that nobody enters. Add from: lead",
            )
        else:
            yield ("stages", stage.name), "no way leads into it. Add enter:, or remove it"


def _never_left(model: Model) -> Iterator[Doubt]:
    for stage in model.stages:
        if not stage.moves and stage.name not in _ENDS and not _scored_ways_into(model, stage):
            yield (
                ("stages", stage.name),
                (
                    "nothing leads out of it: a lead stays for ever. Add limit:, leave:, or from: "
                    f"{stage.name} to a later stage"
                ),
            )


def _without_hysteresis(model: Model) -> Iterator[Doubt]:
    for stage in model.stages:
        entering = _scored_ways_into(model, stage)
        if not entering:
            continue
        leaving = [move for move in stage.moves if move.kind == "leave"]
        if not leaving and not any(move.kind == "limit" for move in stage.moves):
            yield (
                ("stages", stage.name),
                "nothing leaves it, however far the score falls. Add leave: with a lower line",
            )
        for move in leaving:
            for name, lower in move.line.below.items():
                upper = min(
                    (way.line.at_least[name] for way in entering if name in way.line.at_least),
                    default=lower + 1,
                )
                if lower >= upper:
                    yield (
                        move.place,
                        (
                            f"entered at {name} {upper}, left below {lower}: leads would come and go. "
                            f"Leave at a lower line, such as {max(1, upper - 10)}"
                        ),
                    )


def _scored_ways_into(model: Model, stage: Stage) -> list[Move]:
    return [
        move
        for source in model.stages
        for move in source.moves
        if move.to == stage.name and move.kind == "enter" and not move.event and move.line.at_least
    ]


def _bounces(model: Model) -> Iterator[Doubt]:
    """A time limit sends a lead to a stage from which the score brings it straight back."""
    moves = {stage.name: stage.moves for stage in model.stages}
    for stage in model.stages:
        for limit in (move for move in stage.moves if move.kind == "limit"):
            for move in moves.get(limit.to, ()):
                if move.to == stage.name and move.kind == "enter" and not move.event and not move.after_s:
                    yield (
                        move.place,
                        (
                            f'its time limit sends leads to "{limit.to}", and the score may bring them back '
                            "at once. Add after: to this line"
                        ),
                    )
                    break
