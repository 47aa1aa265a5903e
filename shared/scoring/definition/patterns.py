r"""Regular expressions that cannot hang the scorer.

In: a pattern from a model file. Out: a compiled, case-blind pattern.
Refuses patterns whose worst case on 500 characters is more than about two million steps: nested
repetition such as `(a+)+`, alternatives inside endless repetition, references, too many `*` and `+`.

Python's `re` backtracks, and the text comes from strangers: one such pattern and one such URL would
stop a partition for hours. The bound is a product over the parts of the pattern, so it is too strict
for some harmless ones; `contains` and `starts_with` say most things without a pattern. Three things cost
less than they seem: `.*` in front (a search begins anywhere), a repetition at the very end (whatever it
takes, the search is over), and one that ends in a character it cannot take, such as `[^/]+/`.
"""

import importlib
import re
import warnings
from itertools import pairwise
from typing import Any, Final

MAX_PATTERN_CHARS: Final = 200
MAX_INPUT_CHARS: Final = 500
_MAX_STEPS: Final = 2_000_000

_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_LEADING: Final = re.compile(r"(\.\*(?![+*?{]))+")
_CATEGORIES: Final = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}

_parser: Final = importlib.import_module("re._parser")


class BadPatternError(ValueError):
    """The pattern is not usable; the message says why and what would be."""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, ready to search in at most MAX_INPUT_CHARS characters.

    Raises BadPatternError.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise BadPatternError(f"{len(pattern)} characters. At most {MAX_PATTERN_CHARS}; use any of several")
    leading = _LEADING.match(pattern)
    shorter = pattern[leading.end() :] if leading else pattern
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern, re.IGNORECASE)
            compiled = re.compile(shorter, re.IGNORECASE)
            tree = _parser.parse(shorter, re.IGNORECASE)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError) as error:
        raise BadPatternError(f"{error}. Use a valid regular expression") from error
    parts = list(tree)
    anchored = parts and str(parts[0][1]).startswith("AT_BEGINNING") and not compiled.flags & re.MULTILINE
    starts = 1 if anchored else MAX_INPUT_CHARS
    if starts * _effort(_without_end(parts)) > _MAX_STEPS:
        raise BadPatternError(
            "could take too long. Use one * or + (two where it starts with ^), or contains, starts_with"
        )
    return compiled


def _without_end(parts: list[Any]) -> list[Any]:
    """The pattern without a repetition of one character at its end."""
    if parts and str(parts[-1][0]) in _REPEATS and _is_one_character(parts[-1][1][2]):
        return parts[:-1]
    return parts


def _effort(parts: list[Any]) -> int:
    """How many ways there are to match at one position, and characters to walk over for them, at most."""
    ways, walked = 1, 0
    for part, following in pairwise([*parts, None]):
        if str(part[0]) in _REPEATS and _must_end(part[1][2], following):
            walked += ways * MAX_INPUT_CHARS
        else:
            ways *= _steps([part])
        ways, walked = min(ways, _MAX_STEPS + 1), min(walked, _MAX_STEPS + 1)
    return ways + walked


def _steps(tree: Any) -> int:
    """How many ways there are to match at one position, at most."""
    ways = 1
    for operation, argument in tree:
        ways = min(ways * _ways(str(operation), argument), _MAX_STEPS + 1)
    return ways


def _must_end(body: Any, following: Any) -> bool:
    """Whether a repetition can end in one place only: where a character stands that it cannot take."""
    if following is None or str(following[0]) != "LITERAL" or not _is_one_character(body):
        return False
    stop = chr(following[1])
    return not any(_takes(body[0], each) for each in {stop, stop.lower(), stop.upper()} if len(each) == 1)


def _takes(part: Any, character: str) -> bool:
    """Whether one part of a pattern takes this character."""
    operation, argument = str(part[0]), part[1]
    if operation == "LITERAL":
        return bool(argument == ord(character))
    if operation == "NOT_LITERAL":
        return bool(argument != ord(character))
    if operation == "RANGE":
        return bool(argument[0] <= ord(character) <= argument[1])
    if operation == "CATEGORY":
        return re.match(_CATEGORIES.get(str(argument), "."), character) is not None
    if operation == "IN":
        negated = str(argument[0][0]) == "NEGATE"
        return any(_takes(each, character) for each in argument[negated:]) != negated
    return True


def _is_one_character(body: Any) -> bool:
    return len(body) == 1 and str(body[0][0]) in {"LITERAL", "NOT_LITERAL", "IN", "ANY"}


def _ways(operation: str, argument: Any) -> int:
    if operation in _REPEATS:
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
