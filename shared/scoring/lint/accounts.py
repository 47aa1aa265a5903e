"""What the section `accounts:` says that its author can hardly have meant.

In: a model. Out: doubts, each with its path. Refuses to doubt how many people a company may have.
"""

from collections.abc import Iterator
from typing import Final

from shared.scoring.analysis.reach import most
from shared.scoring.definition.accounts import Accounts, AccountStage, Measure, Needs
from shared.scoring.definition.model import Model
from shared.scoring.definition.stages import SCORE, Path
from shared.scoring.lint.rules import Doubt

_LOWER: Final[dict[Measure, int]] = {"score": 10, "active_people": 1}


def doubts_about_accounts(model: Model) -> Iterator[Doubt]:
    """Every doubt about the accounts of a model; none if it has no accounts."""
    accounts = model.accounts
    if accounts is None:
        return
    if not accounts.private_lists:
        yield (
            ("accounts", "private_domains"),
            "without a list, everybody at gmail.com is one company. Add private_domains: [free-mail]",
        )
    for stage in accounts.stages:
        yield from _out_of_reach(model, accounts, stage)
        yield from _without_hysteresis(stage)
    yield from _never_first(accounts)


def _out_of_reach(model: Model, accounts: Accounts, stage: AccountStage) -> Iterator[Doubt]:
    """Lines above the most that an account can have."""
    best = most(model)[SCORE]
    highest = min(accounts.limit, best) if not accounts.sums else accounts.limit if best > 0 else 0
    for position, line in enumerate(stage.enter):
        if line.get("score", 0) > highest:
            yield (
                _place(stage, "enter"),
                (
                    f"no account can reach score {line['score']}{_numbered(stage.enter, position)}, "
                    f"the most is {highest:g}. Lower the line"
                ),
            )


def _without_hysteresis(stage: AccountStage) -> Iterator[Doubt]:
    """A stage that is never left, or left at the line where it is entered."""
    if not stage.leave:
        yield (
            _place(stage),
            "nothing leaves it, however far the score falls. Add leave: with a lower line",
        )
    for line in stage.leave:
        for way in stage.enter:
            if _is_as_high(line, way):
                yield _place(stage, "leave"), _too_high(line, way)


def _is_as_high(line: Needs, way: Needs) -> bool:
    """Whether an account that just entered by this way needs to lose but one to leave.

    Below one active person is as low as people can be, so that is nobody's mistake.
    """
    return all(
        number >= way.get(measure, number + 1) and (measure, number) != ("active_people", 1)
        for measure, number in line.items()
    )


def _too_high(line: Needs, way: Needs) -> str:
    measure, number = next(iter(line.items()))
    lower = max(1, way[measure] - _LOWER[measure])
    return (
        f"entered at {_spoken(measure)} {way[measure]}, left below {number}: accounts would come and go. "
        f"Leave at a lower line, such as {lower}"
    )


def _never_first(accounts: Accounts) -> Iterator[Doubt]:
    """A stage whose lines are all met with those of a later stage: nobody ever stands in it."""
    for position, stage in enumerate(accounts.stages):
        for later in accounts.stages[position + 1 :]:
            if all(any(_implies(line, other) for other in later.enter) for line in stage.enter):
                yield (
                    _place(stage, "enter"),
                    (
                        f'whoever is on its line is on that of the later stage "{later.name}" too, '
                        "and passes it by. Put the higher line later"
                    ),
                )
                break


def _implies(line: Needs, other: Needs) -> bool:
    """Whether an account on the first line is on the other one as well."""
    return all(line.get(measure, 0) >= number for measure, number in other.items())


def _place(stage: AccountStage, *keys: str) -> Path:
    return ("accounts", "stages", stage.name, *keys)


def _numbered(lines: tuple[Needs, ...], position: int) -> str:
    return f" (line {position + 1})" if len(lines) > 1 else ""


def _spoken(measure: Measure) -> str:
    return measure.replace("_", " ")
