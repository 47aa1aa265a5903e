"""Answers that were found before, kept by the few values they depend on.

In: the function that finds an answer, and the values it looks at. Out: the same answers, sooner.
Refuses to guess: what is not plainly the same value as before is asked anew.

An event pays the same as any other event whose fields, those that its rules look at, have the same values.
There are far fewer such values than events, and looking them up costs a tenth of judging every condition
again. Where nearly every subject is unlike every other (persons are), it is the few possible answers that are
kept. A memo is part of a model, not of its value: it is neither compared, nor shown, nor stored.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

Subject = TypeVar("Subject")
Answer = TypeVar("Answer")

MAX_KEPT: Final = 4_000
MAX_TEXT_CHARS: Final = 200
_MAX_INT: Final = 2**63
_NO_KEY: Final = ()
_PLAIN: Final = frozenset({str, type(None)})


class Memo(Generic[Answer]):
    """A pure function of a few values, remembered.

    It is right because `find` sees nothing but the values, and because the key tells apart what conditions
    tell apart: 1, 1.0 and True, 0.0 and -0.0 are equal for Python only. Lists, mappings, long texts and
    whatever else may be large or may change never become part of a key: `find` is asked each time.
    It is small: when `MAX_KEPT` answers are kept, it forgets them and begins anew.
    """

    __slots__ = ("_find", "_kept")

    def __init__(self, find: Callable[[Sequence[Any]], Answer]) -> None:
        self._find = find
        self._kept: dict[tuple[Any, ...], Answer] = {}

    def of(self, values: Sequence[Any]) -> Answer:
        """What `find` says about these values."""
        key = tuple(values)
        if not _PLAIN.issuperset(map(type, key)):
            key = tuple([_telling(value) for value in key])
            if _NO_KEY in key:
                return self._find(values)
        answer = self._kept.get(key)
        if answer is None:
            answer = self._find(values)
            self._keep(key, answer)
        return answer

    def _keep(self, key: tuple[Any, ...], answer: Answer) -> None:
        if any(type(part) is str and len(part) > MAX_TEXT_CHARS for part in key):
            return
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[key] = answer


def _telling(value: Any) -> Any:
    """A value as a part of a key: beside its type, where another type has equal values."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is bool or (kind is int and -_MAX_INT <= value <= _MAX_INT):
        return kind, value
    return (kind, repr(value)) if kind is float else _NO_KEY


class Latest(Generic[Subject, Answer]):
    """A pure function of something that never changes, with its latest answer at hand.

    It is right because it answers anew for every other object, equal or not, and holds on to the one it
    answered for, so that no other can come to lie at its address. Whoever asks several things about one
    lead before turning to the next asks about the same object each time.
    """

    __slots__ = ("_answered", "_find")

    def __init__(self, find: Callable[[Subject], Answer]) -> None:
        self._find = find
        self._answered: tuple[Subject, Answer] | None = None

    def of(self, subject: Subject) -> Answer:
        """What `find` says about the subject."""
        answered = self._answered
        if answered is not None and answered[0] is subject:
            return answered[1]
        answer = self._find(subject)
        self._answered = (subject, answer)
        return answer
