"""What is remembered: never another answer than the one that would be found anew, and never too much."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.scoring.memo import MAX_KEPT, MAX_TEXT_CHARS, Latest, Memo

# Values that Python holds for equal, or nearly, but that conditions tell apart.
LOOKALIKES: list[Any] = [True, 1, 1.0, "1", "1.0", "true", False, 0, 0.0, -0.0, "0", "", None, "None"]
TOO_MUCH: list[Any] = [[], [1], ["1"], {}, {"a": 1}, (), (1,), b"1", 2**64, "x" * (MAX_TEXT_CHARS + 1)]


def memo(asked: list[Sequence[Any]]) -> Memo[str]:
    """A memo that writes down what it had to ask for."""

    def find(values: Sequence[Any]) -> str:
        asked.append(values)
        return repr(values)

    return Memo(find)


def test_the_same_values_are_asked_once() -> None:
    """What was found before is not looked for again."""
    asked: list[Sequence[Any]] = []
    remembering = memo(asked)
    assert {remembering.of(["x", 2]) for _ in range(5)} == {"['x', 2]"}
    assert asked == [["x", 2]]


def test_lookalikes_are_told_apart() -> None:
    """1, 1.0 and True are one key of a dict, and so are 0.0 and -0.0: here each has its own answer."""
    remembering = memo([])
    for _ in range(2):
        for one in LOOKALIKES:
            for other in LOOKALIKES:
                assert remembering.of([one, other]) == repr([one, other])


@pytest.mark.parametrize("value", TOO_MUCH, ids=lambda value: repr(value)[:20])
def test_what_may_be_large_or_change_is_asked_for_each_time(value: Any) -> None:
    """Lists, mappings, long texts and large numbers are never kept, whatever stands beside them."""
    asked: list[Sequence[Any]] = []
    remembering = memo(asked)
    for values in (["x", value], [value, 1]):
        assert {remembering.of(values) for _ in range(3)} == {repr(values)}
    assert len(asked) == 6
    assert remembering._kept == {}


def test_a_number_that_is_none_is_remembered_like_others() -> None:
    """NaN does not equal itself; its key does, so that it cannot fill the memory."""
    asked: list[Sequence[Any]] = []
    remembering = memo(asked)
    assert {remembering.of([float("nan")]) for _ in range(3)} == {"[nan]"}
    assert len(asked) == 1


def test_a_flood_of_values_does_not_grow_it() -> None:
    """Past its bound it forgets everything, and is right as before."""
    asked: list[Sequence[Any]] = []
    remembering = memo(asked)
    for number in range(MAX_KEPT + 1):
        remembering.of([str(number)])
    assert len(remembering._kept) == 1
    assert remembering.of(["0"]) == "['0']"
    assert len(asked) == MAX_KEPT + 2


def test_the_latest_is_known_by_identity() -> None:
    """An equal object is another one: it may have changed since it was equal."""
    asked: list[list[int]] = []

    def total(numbers: list[int]) -> int:
        asked.append(numbers)
        return sum(numbers)

    latest = Latest(total)
    one, other = [1, 2], [1, 2]
    assert [latest.of(each) for each in (one, one, other, one)] == [3, 3, 3, 3]
    assert [each is one for each in asked] == [True, False, True]
