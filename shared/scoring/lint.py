"""What a model says that its author can hardly have meant, in plain language.

In: the reading of a model file without mistakes. Out: warnings, each with file and line, in the order of
the file; none of them keeps the model from being used.
Refuses to guess: a warning is given where it is certain that the model says so, not where it might.
"""

from shared.config_mistakes import at
from shared.scoring.circles import slow
from shared.scoring.lint_rules import doubts_about_lists, doubts_about_rules
from shared.scoring.lint_stages import doubts_about_stages
from shared.scoring.lint_twice import paid_twice
from shared.scoring.model_file import NOUNS, Reading


def lint(reading: Reading) -> list[str]:
    """Every warning, one sentence each: `scoring.yaml:41: rule "click": …`."""
    document = reading.document
    doubts = [
        *doubts_about_lists(reading.lists, reading.used),
        *doubts_about_rules(reading.model),
        *paid_twice(reading.model),
        *doubts_about_stages(reading.model),
        *((circle.place, circle.words(document.line)) for circle in slow(reading.model) if circle.waits),
    ]
    in_order = sorted(dict.fromkeys(doubts), key=lambda doubt: document.line(doubt[0]))
    return [
        document.problem(path, at(document.data, path[: 1 if path[0] == "grade" else 2], words, NOUNS))
        for path, words in in_order
    ]
