"""Values → a short text that is the same for the same values in every process.

In: dataclasses, mappings, sets, lists, tuples and plain values in them. Out: sixteen characters.
What is derived from other fields of a dataclass does not count.
"""

import hashlib
from collections.abc import Mapping


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
    inner = ",".join(f"{name}={_canonical(getattr(value, name))}" for name in slots if slots[name].init)
    return f"{type(value).__name__}({inner})"
