"""The section `accounts:` of a model file → `Accounts`, or what is wrong with it.

In: the checked shape of the section, the lists of the file. Out: `Accounts`; mistakes, each with its path.
"""

from collections.abc import Collection, Iterator
from typing import Final

from shared.config_mistakes import Path, listing, short
from shared.scoring.definition.accounts import NO_STAGE, Accounts, AccountStage
from shared.scoring.file.conditions import ConditionReader
from shared.scoring.file.shape import AccountsShape, SumShape

HIGHEST_SCORE: Final = 100
"""Of one person, and so of the best."""


def build_accounts(shape: AccountsShape, reader: ConditionReader) -> Accounts:
    """What the section says; the lists it names count as used."""
    reader.used.update(shape.private_domains)
    domains = (reader.lists.get(name, frozenset()) for name in shape.private_domains)
    sums = isinstance(shape.score, SumShape)
    return Accounts(
        sums=sums,
        limit=shape.score.sum_up_to if isinstance(shape.score, SumShape) else HIGHEST_SCORE,
        active_within_s=shape.active_within,
        private_domains=frozenset[str]().union(*domains),
        private_lists=tuple(shape.private_domains),
        stages=tuple(
            AccountStage(
                name=name,
                label={"en": stage.label.en, "de": stage.label.de},
                enter=tuple(line.at_least for line in stage.enter),
                leave=tuple(line.below for line in stage.leave),
            )
            for name, stage in shape.stages.items()
        ),
    )


def check_accounts(shape: AccountsShape, lists: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Names that do not exist, and a stage that cannot have its name."""
    for position, name in enumerate(shape.private_domains):
        if name not in lists:
            known = listing(name, lists)
            yield (
                ("accounts", "private_domains", position),
                f'unknown list "{short(name)}". Lists: {known}',
            )
    if NO_STAGE in shape.stages:
        yield (
            ("accounts", "stages", NO_STAGE),
            f'"{NO_STAGE}" is where an account stands that is on no line. Call the stage something else',
        )
