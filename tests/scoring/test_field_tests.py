"""What rules ask about an event, asked once for each field: the same answers as asking each rule."""

from datetime import timedelta
from typing import Any

import pytest

from shared.scoring.definition.conditions import All, AnyOf, Condition, Not, Test, on_event
from shared.scoring.definition.fields import event_getter
from shared.scoring.definition.rules import Points
from shared.scoring.engine.field_tests import FieldTests
from tests.scoring import small

ONE = Test(field="properties.n", operator="eq", operand=1.0)
TRUE = Test(field="properties.n", operator="eq", operand=True)
WORD = Test(field="properties.word", operator="in", operand=frozenset({"a", "b"}))
CONDITIONS: list[Condition] = [
    ONE,
    TRUE,
    All(parts=()),
    AnyOf(parts=()),
    All(parts=(ONE, WORD)),
    AnyOf(parts=(TRUE, WORD)),
    Not(part=All(parts=(WORD, ONE))),
    Test(field="kind", operator="eq", operand="web"),
]
VALUES: list[Any] = [1, 1.0, True, "1", "true", None, "", "a", [1, 2], [], {"x": 1}, 0]


@pytest.mark.parametrize("n", VALUES, ids=repr)
@pytest.mark.parametrize("word", ["a", "c", None, ["c", "b"]], ids=repr)
def test_verdicts_say_what_the_event_says(n: Any, word: Any) -> None:
    """Every condition holds for the verdicts if it holds for the event; 1 and true are told apart."""
    field_tests = FieldTests(event_getter)
    by_verdicts = [field_tests.about(condition) for condition in CONDITIONS]
    event = small.event(1, "x", timedelta(0), properties={"n": n, "word": word})
    verdicts = [question.judge(question.value_of(event)) for question in field_tests.fields()]
    for condition, meets in zip(CONDITIONS, by_verdicts, strict=True):
        assert meets(verdicts) is on_event(condition)(event), condition


def test_each_field_is_one_question_and_so_are_points() -> None:
    """Fields in the order in which they were first asked about, then what points need."""
    field_tests = FieldTests(event_getter)
    for condition in CONDITIONS:
        field_tests.about(condition)
    table = field_tests.worth(Points(constant=0.0, by="properties.word", values={"a": 3.0}))
    constant = field_tests.worth(Points(constant=5.0))
    each = field_tests.worth(Points(constant=0.0, by="properties.n", each=2.0))
    event = small.event(1, "x", timedelta(0), properties={"n": 4, "word": "a"})
    verdicts = [question.judge(question.value_of(event)) for question in field_tests.fields()]
    assert len(verdicts) == 3 + 2
    assert (table(verdicts), constant(verdicts), each(verdicts)) == (3.0, 5.0, 8.0)


def test_a_field_that_events_do_not_have_holds_nothing() -> None:
    """A model that was built without a file: such a test is as for a missing value."""
    field_tests = FieldTests(event_getter)
    worth = field_tests.worth(Points(constant=2.0, by="nothing.like.it", values={"a": 3.0}))
    [question] = field_tests.fields()
    assert worth([question.judge(question.value_of(small.event(1, "x", timedelta(0))))]) == 2.0


@pytest.mark.parametrize("value", [*VALUES, {}, {"name": "A"}], ids=repr)
def test_whether_there_is_anything_is_asked_of_texts(value: Any) -> None:
    """A field that is only asked for presence gives a text or nothing: a mapping could not be looked up."""
    there, missing = (
        Test(field="traits.company", operator="exists", operand=wanted) for wanted in (True, False)
    )
    field_tests = FieldTests(event_getter)
    is_there, is_missing = field_tests.about(there), field_tests.about(missing)
    event = small.event(1, "x", timedelta(0), traits={"company": value})
    [question] = field_tests.fields()
    found = question.value_of(event)
    assert found in {"there", None}
    verdicts = [question.judge(found)]
    assert (is_there(verdicts), is_missing(verdicts)) == (on_event(there)(event), on_event(missing)(event))
