"""What a model says that its author can hardly have meant, in plain language.

In: the reading of a model file without mistakes. Out: warnings, each with file and line, in the order of
the file; none of them keeps the model from being used.
Refuses to guess: a warning is given where it is certain that the model says so, not where it might.
"""

from collections.abc import Mapping
from typing import Final

from shared.config_mistakes import at
from shared.scoring.analysis.cycles import slow
from shared.scoring.file.read import NOUNS, Reading
from shared.scoring.lint.accounts import doubts_about_accounts
from shared.scoring.lint.double_pay import paid_twice
from shared.scoring.lint.limits import doubts_about_limits
from shared.scoring.lint.purposes import doubts_about_purposes
from shared.scoring.lint.rules import doubts_about_lists, doubts_about_rules
from shared.scoring.lint.stages import doubts_about_stages

# How much of a path a warning names, where it is not the section and the entry.
_NAMED: Final[Mapping[str | int, int]] = {"grade": 1, "accounts": 3, "consent": 3}


def lint(reading: Reading) -> list[str]:
    """Every warning, one sentence each: `scoring.yaml:41: rule "click": …`."""
    document = reading.document
    doubts = [
        *doubts_about_lists(reading.lists, reading.used),
        *doubts_about_rules(reading.model),
        *doubts_about_limits(reading.model),
        *doubts_about_purposes(reading.model),
        *paid_twice(reading.model),
        *doubts_about_stages(reading.model),
        *doubts_about_accounts(reading.model),
        *((cycle.place, cycle.words(document.line)) for cycle in slow(reading.compiled) if cycle.waits),
    ]
    in_order = sorted(dict.fromkeys(doubts), key=lambda doubt: document.line(doubt[0]))
    return [
        document.problem(path, at(document.data, path[: _NAMED.get(path[0], 2)], words, NOUNS))
        for path, words in in_order
    ]
