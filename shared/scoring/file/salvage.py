"""Keeps what is sound of a model file with mistakes, so that the rest of it can be checked too.

In: the data of the file, and what pydantic found. Out: data in which each broken value is gone or
replaced, and the paths of those; so that a rule's wrong type and its unknown group are told together.
Refuses to be used as a model: what stands in for a broken part means nothing.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.config_mistakes import Path, within
from shared.scoring.file.shape import ModelShape

_ROUNDS: Final = 4
# Sections that others refer to: without one of them, everything else would seem wrong too.
_SECTIONS: Final = frozenset({"dimensions", "groups", "stages"})
_LABEL: Final = {"en": "-", "de": "-"}
_FIT: Final = {"A": 3, "B": 2, "C": 1}
_NUMBERS: Final = {"1": 3, "2": 2, "3": 1}
# What stands in for the value of a key that must be there.
_STAND_INS: Final[Mapping[str, Any]] = {
    "name": "unnamed",
    "grade": {"fit": _FIT, "engagement": _NUMBERS},
    **_FIT,
    **_NUMBERS,
    "label": _LABEL,
    **_LABEL,
    "group": "-",
    "dimension": "fit",
    "event": "*",
    "when": {"email": {"exists": True}},
    "points": 0,
    "by": "name",
    "values": {"-": 0},
    "each": 1,
    "between": [0, 0],
    "times": 2,
    "per": "day",
    "within": "1d",
    "after": "1d",
    "to": "lead",
}


def salvage(data: Any, error: ValidationError) -> tuple[ModelShape | None, list[Path]]:
    """What can be looked at further (None: nothing), and the paths at which it is not what was written."""
    mended: list[Path] = []
    whole = deepcopy(data)
    for _ in range(_ROUNDS):
        broken = [_place(whole, detail) for detail in error.errors(include_url=False)]
        if any(len(path) < 1 or (len(path) == 1 and path[0] in _SECTIONS) for path, _ in broken):
            return None, mended
        for path, is_key in broken:
            _replace(whole, path, is_key=is_key)
        mended += [path for path, _ in broken]
        try:
            return ModelShape.model_validate(whole), mended
        except ValidationError as remaining:
            error = remaining
    return None, mended


def is_consequence(found: Path, mended: Iterable[Path]) -> bool:
    """Whether a mistake at this path may be one only because something in or around it was mended."""
    seen = _keys(found)
    return len(seen) > 1 and any(
        seen[: len(keys)] == keys or keys[: len(seen)] == seen for keys in map(_keys, mended)
    )


def _place(data: Any, detail: ErrorDetails) -> tuple[Path, bool]:
    """The path of the nearest key around a mistake, and whether it is the key that is wrong."""
    path = within(data, detail["loc"])
    if detail["type"] == "missing":
        path = (*path, detail["loc"][-1])
    if path[:1] == ("accounts",):
        return path[:1], False  # nothing refers to it: without it, all else is as it was meant
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path, detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",)


def _replace(data: Any, path: Path, *, is_key: bool) -> None:
    """Take away what is at this path, and put its stand-in there if the key must be there."""
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return  # gone already, with something around it
    if isinstance(data, dict):
        key = str(path[-1])
        data.pop(key, None)
        if key in _STAND_INS and not is_key:
            data[key] = deepcopy(_STAND_INS[key])


def _keys(path: Path) -> Path:
    return tuple(step for step in path if isinstance(step, str))
