"""Memoisation: answers that were found before, kept by the few values they depend on.

In: the fields of a subject with what is asked about each; the function that finds an answer in the results.
Out: the same answers, sooner.
Refuses to guess: what is not plainly the same text as before is judged anew.

An event pays the same as any other event about whose fields the rules say the same. The texts of a field come
again and again, and the results about them are few; looking both up costs a tenth of judging every condition
again. A memo is part of a model, not of its value: it is neither compared, nor shown, nor stored.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

Subject = TypeVar("Subject")
Answer = TypeVar("Answer")
FieldResult = float
"""All that is asked about one value: the outcomes of tests as bits of a whole number, or points"""

MAX_KEPT: Final = 4_000
MAX_TEXT_CHARS: Final = 200


class Field(NamedTuple):
    """One field of a subject: how to get its value, and how to judge that."""

    value_of: Callable[[Any], Any]
    judge: Callable[[Any], FieldResult]


class FieldResults(dict[str | None, FieldResult]):
    """The result about each value of a field; those about short texts, and about no value, are kept.

    Numbers are judged each time: 1, 1.0 and True would be one key, and so would 0.0 and -0.0, which
    conditions tell apart. It is small: when `MAX_KEPT` results are kept, it forgets them and begins anew.
    """

    __slots__ = ("judge",)

    def __init__(self, judge: Callable[[Any], FieldResult]) -> None:
        self.judge = judge

    def of(self, value: Any) -> FieldResult:
        """The result about whatever there can be, in a list or a mapping too."""
        return self.judge(value) if isinstance(value, list | dict) else self[value]

    def __missing__(self, value: Any) -> FieldResult:
        result = self.judge(value)
        if value is None or (type(value) is str and len(value) <= MAX_TEXT_CHARS):
            if len(self) >= MAX_KEPT:
                self.clear()
            self[value] = result
        return result


class Memo(Generic[Subject, Answer]):
    """A pure function of the results about a subject's fields, remembered.

    It is right because `find` sees nothing but the results, one for each field, in their order.
    It is small, as `FieldResults` are.
    """

    __slots__ = ("_find", "_kept", "_known")

    def __init__(self, fields: Sequence[Field], find: Callable[[tuple[FieldResult, ...]], Answer]) -> None:
        self._known = tuple([(field.value_of, FieldResults(field.judge)) for field in fields])
        self._find = find
        self._kept: dict[tuple[FieldResult, ...], Answer] = {}

    def of(self, subject: Subject) -> Answer:
        """What `find` says about this subject."""
        try:
            results = tuple([known[value_of(subject)] for value_of, known in self._known])
        except TypeError:  # a list or a mapping, which may change and cannot be looked up
            results = tuple([known.of(value_of(subject)) for value_of, known in self._known])
        answer = self._kept.get(results)
        if answer is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            answer = self._kept[results] = self._find(results)
        return answer


class Latest(Generic[Subject, Answer]):
    """A pure function of something that never changes, with its latest answer at hand.

    It is right because it answers anew for every other subject, and holds on to the one it answered for, so
    that no other can come to lie at its address. Whoever asks several things about one lead before turning to
    the next asks about the same subject each time.
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
