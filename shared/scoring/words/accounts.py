"""What a model says about accounts, each property in words.

In: the section as the engine knows it. Out: names with their properties; "" is the section itself.
"""

from collections.abc import Iterator, Sequence

from shared.scoring.definition.accounts import Accounts, AccountStage, Needs
from shared.scoring.definition.durations import duration_words


def accounts_words(accounts: Accounts) -> Iterator[tuple[str, dict[str, str]]]:
    """The section, then each of its stages."""
    yield (
        "",
        {
            "score": f"sum up to {accounts.limit}" if accounts.sums else "best",
            "active within": duration_words(accounts.active_within_s),
            "private domains": ", ".join(accounts.private_lists),
        },
    )
    for stage in accounts.stages:
        yield stage.name, _stage(stage)


def _stage(stage: AccountStage) -> dict[str, str]:
    return {
        "label (en)": stage.label["en"],
        "label (de)": stage.label["de"],
        "enter": lines_words(stage.enter, "at least"),
        "leave": lines_words(stage.leave, "below"),
    }


def lines_words(lines: Sequence[Needs], relation: str) -> str:
    """Lines such as `score at least 40 and active people at least 2, or score at least 80`."""
    return ", or ".join(
        " and ".join(f"{measure.replace('_', ' ')} {relation} {number}" for measure, number in line.items())
        for line in lines
    )
