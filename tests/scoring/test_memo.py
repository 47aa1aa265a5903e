"""What is remembered: never another answer than the one that would be found anew, and never too much."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.scoring.engine.memo import MAX_KEPT, MAX_TEXT_CHARS, Field, FieldResult, Latest, Memo

# Values that Python holds for equal, or nearly, but that conditions tell apart.
LOOKALIKES: list[Any] = [True, 1, 1.0, "1", "1.0", "true", False, 0, 0.0, -0.0, "0", "", None, "None"]
TOO_MUCH: list[Any] = [[], [1], ["1"], {}, {"a": 1}, (), (1,), b"1", 2**64, 1.5, "x" * (MAX_TEXT_CHARS + 1)]


@dataclass(slots=True)
class Asked:
    """A memo of two fields, and whatever it had to ask for: the judges, and the finder."""

    judged: list[Any] = field(default_factory=list)
    found: list[tuple[FieldResult, ...]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def memo(self) -> Memo[Mapping[str, Any], str]:
        return Memo([Field(value_of(name), self.judge) for name in ("a", "b")], self.find)

    def judge(self, value: Any) -> FieldResult:
        """Another verdict for everything that looks otherwise."""
        self.judged.append(value)
        return self.numbers.setdefault(repr(value), len(self.numbers))

    def find(self, verdicts: tuple[FieldResult, ...]) -> str:
        self.found.append(verdicts)
        return self.named(verdicts)

    def named(self, verdicts: tuple[FieldResult, ...]) -> str:
        names = list(self.numbers)
        return " ".join(names[int(verdict)] for verdict in verdicts)


def value_of(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda subject: subject.get(name)


def test_the_same_texts_are_asked_once() -> None:
    """What was found before is neither judged nor looked for again."""
    asked = Asked()
    remembering = asked.memo()
    assert {remembering.of({"a": "x", "b": None}) for _ in range(5)} == {"'x' None"}
    assert (asked.judged, len(asked.found)) == (["x", None], 1)


def test_what_is_judged_alike_is_found_once() -> None:
    """Two texts with the same verdict have the same answer."""
    remembering = Memo[Mapping[str, Any], str]([Field(value_of("a"), len)], repr)
    assert remembering.of({"a": "xy"}) == remembering.of({"a": "ab"}) == "(2,)"
    assert list(remembering._kept) == [(2,)]


def test_lookalikes_are_told_apart() -> None:
    """1, 1.0 and True are one key of a dict, and so are 0.0 and -0.0: here each has its own answer."""
    remembering = Asked().memo()
    for _ in range(2):
        for one in LOOKALIKES:
            for other in LOOKALIKES:
                assert remembering.of({"a": one, "b": other}) == f"{one!r} {other!r}"


@pytest.mark.parametrize("value", TOO_MUCH, ids=lambda value: repr(value)[:20])
def test_what_may_be_large_or_change_is_judged_each_time(value: Any) -> None:
    """Lists, mappings, numbers and long texts are never kept, whatever stands beside them."""
    asked = Asked()
    remembering = asked.memo()
    for subject in ({"a": "x", "b": value}, {"a": value, "b": "x"}):
        assert {remembering.of(subject) for _ in range(3)} == {f"{subject['a']!r} {subject['b']!r}"}
    assert asked.judged.count(value) == 6
    assert all(
        type(kept) is str and len(kept) <= MAX_TEXT_CHARS for _, known in remembering._known for kept in known
    )


def test_a_mapping_does_not_make_the_other_fields_be_judged_again() -> None:
    """Only what cannot be looked up is judged each time."""
    asked = Asked()
    remembering = asked.memo()
    for _ in range(3):
        remembering.of({"a": "x", "b": {}})
    assert (asked.judged.count("x"), asked.judged.count({})) == (1, 3)


def test_a_mistake_in_a_judge_is_not_hidden() -> None:
    """What cannot be looked up is judged anew; an error of the judge itself comes out."""
    failing = Memo[Mapping[str, Any], str]([Field(value_of("a"), lambda value: value + 1)], repr)
    with pytest.raises(TypeError, match="concatenate"):
        failing.of({"a": "x"})


def test_a_flood_of_texts_does_not_grow_it() -> None:
    """Past its bound it forgets everything, and is right as before."""
    asked = Asked()
    remembering = asked.memo()
    for number in range(MAX_KEPT + 1):
        remembering.of({"a": str(number), "b": None})
    [(_, known), _] = remembering._known
    assert len(known) == len(remembering._kept) == 1
    assert remembering.of({"a": "0"}) == "'0' None"
    assert asked.judged.count("0") == 2


def test_the_latest_is_known_again() -> None:
    """By identity: another that is equal is asked about anew."""
    asked: list[list[int]] = []

    def total(numbers: list[int]) -> int:
        asked.append(numbers)
        return sum(numbers)

    latest = Latest(total)
    one, other = [1, 2], [1, 2]
    assert [latest.of(each) for each in (one, one, other, one)] == [3, 3, 3, 3]
    assert [each is one for each in asked] == [True, False, True]
