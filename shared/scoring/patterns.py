r"""Regular expressions that cannot hang the scorer.

In: a pattern from a model file. Out: a compiled, case-blind pattern.
Refuses patterns whose worst case on 500 characters is more than about two million steps: nested
repetition such as `(a+)+`, alternatives or references inside repetition, too many `*` and `+`.

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
    if starts * _steps(tree, inside_repeat=False) > _MAX_STEPS:
        raise BadPatternError(
            "could take too long. Use one * or + (two where it starts with ^), or contains, starts_with"
        )
    return compiled


def _steps(tree: Any, *, inside_repeat: bool) -> int:
    """How many ways there are to match at one position, at most."""
    ways = 1
    for operation, argument in tree:
        ways *= _ways(str(operation), argument, inside_repeat=inside_repeat)
    return min(ways, _MAX_STEPS + 1)


def _ways(operation: str, argument: Any, *, inside_repeat: bool) -> int:
    if operation in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        return _repeat_ways(argument, inside_repeat=inside_repeat)
    if operation == "BRANCH":
        branches = sum(_steps(branch, inside_repeat=inside_repeat) for branch in argument[1])
        return _MAX_STEPS + 1 if inside_repeat else branches
    if operation == "SUBPATTERN":
        return _steps(argument[-1], inside_repeat=inside_repeat)
    if operation in {"LITERAL", "NOT_LITERAL", "IN", "ANY", "AT", "RANGE"}:
        return 1
    raise BadPatternError("look-around, references and conditions are not read. Use all, any and not instead")


def _repeat_ways(argument: Any, *, inside_repeat: bool) -> int:
    least, most, body = argument
    most = min(int(most), MAX_INPUT_CHARS)
    if most <= 1:
        return 1 + _steps(body, inside_repeat=inside_repeat)
    if inside_repeat:
        raise BadPatternError("repetition inside repetition can take for ever. Use one * or + only")
    return (most - min(int(least), most) + 1) * _steps(body, inside_repeat=True)
