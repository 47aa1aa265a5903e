"""No dependency has a licence that we cannot distribute with, and the list of them is true."""

import pytest

from maintenance.licences import FILE, Rules, jar_licence, licences, permitted, refusals, rules, text
from maintenance.locked import Locked
from services.cli.local.jars import wanted

OURS = rules()


def test_the_page_is_what_the_metadata_say() -> None:
    """docs/licences.md; `make licences` renews it."""
    assert FILE.read_text() == text()


def test_every_licence_is_allowed_or_has_a_reason() -> None:
    """Of the packages of all lock files, and of the jars."""
    assert refusals(licences(OURS), OURS) == []
    assert [jar.artifact for jar in wanted() if not permitted(jar_licence(jar, OURS), OURS.allowed)] == []


@pytest.mark.parametrize(
    "licence", ["AGPL-3.0-only", "GPL-3.0-or-later", "MIT AND LGPL-3.0-only", "", "Custom"]
)
def test_a_licence_that_asks_for_more_is_refused(licence: str) -> None:
    """With a sentence that says what to do."""
    [said] = refusals({Locked(name="new", part="services", by=("ingest",)): licence}, OURS)
    assert said.startswith("new: ")
    assert "write why" in said or "Look it up" in said


def test_a_choice_is_enough_and_a_sum_is_not() -> None:
    """Of `A OR B` one has to be allowed, of `A AND B` both."""
    assert permitted("GPL-2.0-only OR MIT", OURS.allowed)
    assert not permitted("GPL-2.0-only AND MIT", OURS.allowed)


def test_an_exception_is_for_one_part_and_one_licence() -> None:
    """What may run tests may not get into a service by that."""
    tool = Locked(name="hypothesis", part="development", by=())
    shipped = Locked(name="hypothesis", part="services", by=("ingest",))
    assert refusals({tool: "MPL-2.0"}, OURS) == []
    assert refusals({shipped: "MPL-2.0"}, OURS)
    assert refusals({tool: "AGPL-3.0-only"}, OURS)


def test_every_exception_is_of_something_that_we_have() -> None:
    """And has a reason; one that is left over would let something in later."""
    names = {package.name for package in licences(OURS)}
    assert {*OURS.exceptions, *OURS.stated} - names == set()
    assert all(one["reason"] for one in OURS.exceptions.values())
    assert isinstance(OURS, Rules)
