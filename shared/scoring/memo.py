"""Answers that were found before, kept by the few values they depend on.

In: getters of those values, and the function that finds an answer. Out: the same answers, sooner.
Refuses to guess: what is not plainly the same value as before is asked anew.

An event pays the same as any other event whose fields, those that its rules look at, have the same values;
and leads whose attributes agree where fit rules look meet the same fit rules. There are far fewer such values
than events, and looking them up costs a tenth of judging every condition again.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

Subject = TypeVar("Subject")
Answer = TypeVar("Answer")
Key = tuple[Any, ...]

MAX_KEPT: Final = 2_000
MAX_TEXT_CHARS: Final = 200
_MAX_INT: Final = 2**63


class Memo(Generic[Subject, Answer]):
    """A pure function of a subject, remembered by a key.

    It is right as long as `find` gives equal answers for subjects with equal keys; where the key is None,
    `find` is asked each time. It is small: when `MAX_KEPT` answers are kept, it forgets them and begins anew.
    """

    __slots__ = ("_find", "_kept", "_key")

    def __init__(self, key: Callable[[Subject], Key | None], find: Callable[[Subject], Answer]) -> None:
        self._key = key
        self._find = find
        self._kept: dict[Key, Answer] = {}

    def of(self, subject: Subject) -> Answer:
        """What `find` says about the subject."""
        key = self._key(subject)
        if key is None:
            return self._find(subject)
        answer = self._kept.get(key)
        if answer is None:
            answer = self._find(subject)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = answer
        return answer


def values_key(getters: Sequence[Callable[[Subject], Any]]) -> Callable[[Subject], Key | None]:
    """The key for functions that look at nothing of a subject but what these getters fetch.

    Values that Python holds for equal but conditions do not (1, 1.0 and True; 0.0 and -0.0) are told apart.
    Lists, mappings, long texts and whatever else may be large or may change are never part of a key: it
    is None then.
    """

    def key(subject: Subject) -> Key | None:
        values = []
        for get in getters:
            value = get(subject)
            if value is not None and (type(value) is not str or len(value) > MAX_TEXT_CHARS):
                value = _distinct(value)
                if value is None:
                    return None
            values.append(value)
        return tuple(values)

    return key


def _distinct(value: Any) -> tuple[type, int | str] | None:
    """A number or truth as a part of a key that equals no other value's; None for everything else."""
    kind = type(value)
    if kind is bool:
        return kind, value
    if kind is int:
        return (kind, value) if -_MAX_INT <= value <= _MAX_INT else None
    return (kind, repr(value)) if kind is float else None


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
