"""Values → a short text that is the same for the same values in every process.

In: dataclasses, mappings, sets, lists, tuples and plain values in them. Out: sixteen characters.
What is derived from other fields of a dataclass does not count, nor does a field that came `LATER` and says
nothing: what was digested before there was such a field keeps its digest.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import Field
from typing import Any, Final

LATER: Final = {"came later": True}
"""Metadata of a dataclass field that older values, whose digests are stored, did not have"""


def digest(value: object) -> str:
    """The first 64 bits of the SHA-256 of the value written out in one fixed order."""
    return hashlib.sha256(_canonical(value).encode()).hexdigest()[:16]


def _canonical(value: object) -> str:
    """The same text for the same value in every process: sets have no order of their own."""
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(map(repr, value)))}}}"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key!r}:{value[key]!r}' for key in sorted(value))}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_canonical, value))}]"
    slots = getattr(value, "__dataclass_fields__", None)
    if slots is None:
        return repr(value)
    inner = ",".join(
        f"{name}={_canonical(getattr(value, name))}" for name in slots if _counts(slots[name], value)
    )
    return f"{type(value).__name__}({inner})"


def _counts(field: Field[Any], owner: object) -> bool:
    """Whether this field of a dataclass is a part of its digest."""
    came_later = "came later" in field.metadata
    return field.init and not (came_later and getattr(owner, field.name) == field.default)
