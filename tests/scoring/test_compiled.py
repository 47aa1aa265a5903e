"""A compiled model follows from its model, and from nothing else."""

from dataclasses import FrozenInstanceError, replace

import pytest

from shared.scoring.engine.compiled import Compiled
from tests.scoring import small

RULE = (
    "event: page.viewed, when: {page.path: {starts_with: /p}}, "
    "points: 5, half_life: 14d, limit: {times: 2, per: day}"
)


def rated() -> Compiled:
    """One rule with most of what decides what is kept for it."""
    return small.model(engagement=small.rule("look", RULE))


def test_stored_states_stay_readable() -> None:
    """The key that states are stored under is the same as in every version before."""
    assert rated().fold_key == "fa30424a97526584"


def test_what_is_remembered_is_no_part_of_the_value() -> None:
    """Two compiled models are equal if their models are, whatever their memos hold."""
    one = rated()
    assert one == Compiled.of(one.model)
    assert one.person is not Compiled.of(one.model).person
    assert one != one.changed(name="another")


def test_a_changed_model_is_compiled_anew() -> None:
    """Nothing that was worked out for the old parts is left over."""
    one = rated()
    none = one.changed(engagement=())
    assert none.model == replace(one.model, engagement=())
    assert not none.rule_terms
    assert one.rule_terms
    assert none.fold_key != one.fold_key


def test_a_compiled_model_cannot_be_written_to() -> None:
    """Everybody shares it."""
    with pytest.raises(FrozenInstanceError):
        rated().fold_key = ""  # type: ignore[misc]
