r"""Regular expressions that cannot hang the scorer.

In: a pattern from a model file. Out: a compiled, case-blind pattern.
Refuses patterns whose worst case on 500 characters is more than about two million steps: nested
repetition such as `(a+)+`, alternatives inside endless repetition, references, too many `*` and `+`.

Python's `re` backtracks, and the text comes from strangers: one such pattern and one such URL would
stop a partition for hours. The bound is a product over the parts of the pattern, so it is too strict
for some harmless ones; `contains` and `starts_with` say most things without a pattern.
"""

import importlib
import re
import warnings
from typing import Any, Final

MAX_PATTERN_CHARS: Final = 200
MAX_INPUT_CHARS: Final = 500
_MAX_STEPS: Final = 2_000_000

_parser: Final = importlib.import_module("re._parser")


class BadPatternError(ValueError):
    """The pattern is not usable; the message says why and what would be."""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, ready to search in at most MAX_INPUT_CHARS characters.

    Raises BadPatternError.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise BadPatternError(f"{len(pattern)} characters. At most {MAX_PATTERN_CHARS}; use any of several")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern, re.IGNORECASE)
            tree = _parser.parse(pattern, re.IGNORECASE)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError) as error:
        raise BadPatternError(f"{error}. Use a valid regular expression") from error
    starts = 1 if pattern.startswith(("^", r"\A")) else MAX_INPUT_CHARS
    if starts * _steps(tree) > _MAX_STEPS:
        raise BadPatternError(
            "could take too long. Use one * or + (two where it starts with ^), or contains, starts_with"
        )
    return compiled


def _steps(tree: Any) -> int:
    """How many ways there are to match at one position, at most."""
    ways = 1
    for operation, argument in tree:
        ways = min(ways * _ways(str(operation), argument), _MAX_STEPS + 1)
    return ways


def _ways(operation: str, argument: Any) -> int:
    if operation in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        return _repeat_ways(argument)
    if operation == "BRANCH":
        return sum(_steps(branch) for branch in argument[1])
    if operation == "SUBPATTERN":
        return _steps(argument[-1])
    if operation in {"LITERAL", "NOT_LITERAL", "IN", "ANY", "AT", "RANGE"}:
        return 1
    raise BadPatternError("look-around, references and conditions are not read. Use all, any and not instead")


def _repeat_ways(argument: Any) -> int:
    """Ways to choose how often, times the ways to match the body each time."""
    least, most, body = argument
    most = min(int(most), MAX_INPUT_CHARS)
    inner = _steps(body)
    if inner > 1 and inner**most > _MAX_STEPS:
        raise BadPatternError("repetition of something that can match in several ways. Use one * or + only")
    return int((most - min(int(least), most) + 1) * inner**most)
