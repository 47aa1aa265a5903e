"""Accounts as the model file says them: how people add up to the score of their company, and its stages.

In: checked values from the model file. Out: `Accounts`, immutable; shared/scoring/engine/accounts.py decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from shared.scoring.definition.rules import Label

Measure = Literal["score", "active_people"]
"""What the lines of an account look at."""

MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)

NO_STAGE: Final = "none"
"""Where an account stands that is on no line yet, or not any more."""

Needs = Mapping[Measure, int]
"""One line: each measure with its number; all of them must hold together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStage:
    """A stage of accounts; a later one in the file is a further one.

    enter:  the account enters if it has at least all numbers of one of these
    leave:  it leaves, and cannot enter, if it is below all numbers of one of these; without any it stays
    """

    name: str
    label: Label
    enter: tuple[Needs, ...]
    leave: tuple[Needs, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """How accounts are made and judged.

    sums:             the score is the sum of the people's scores, else the best of them
    limit:            the most that the score can be
    active_within_s:  who did something in this time is active
    private_domains:  addresses there belong to nobody's company: free mail, disposable addresses
    private_lists:    the lists that these stand in
    stages:           in the order of the file
    """

    sums: bool
    limit: int
    active_within_s: float
    private_domains: frozenset[str]
    private_lists: tuple[str, ...]
    stages: tuple[AccountStage, ...]
