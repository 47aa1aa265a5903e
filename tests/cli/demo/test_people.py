"""The people the demo invents."""

from services.cli.demo.people import people
from services.cli.demo.rows import Row

SEED = 1


def test_the_same_people_every_time(rows: list[Row]) -> None:
    """The same seed gives the same people; another seed gives others."""
    assert people(rows, SEED) == people(rows, SEED)
    assert people(rows, SEED) != people(rows, SEED + 1)


def test_a_realistic_part_becomes_known(rows: list[Row]) -> None:
    """About 45 % of the visitors make themselves known, and only those who bought or saw their account."""
    found = people(rows, SEED)
    assert 0.38 < len(found) / 600 < 0.52
    reached = {row.visitor for row in rows if row.act in {"purchase", "account_page"}}
    assert set(found) <= reached


def test_nobody_real_is_addressed(rows: list[Row]) -> None:
    """Every address is unique, plain ASCII, and under a domain that RFC 2606 reserves."""
    emails = [person.email for person in people(rows, SEED).values()]
    assert len(set(emails)) == len(emails)
    assert all(email.isascii() and email.endswith(".example") for email in emails)


def test_work_addresses_come_with_a_company(rows: list[Row]) -> None:
    """Who writes from a company has its name and a title; who writes from free mail tells neither."""
    for person in people(rows, SEED).values():
        private = person.email.endswith("@freemail.example")
        assert ("company" in person.traits) is not private
        assert ("title" in person.traits) is not private


def test_others_do_not_change_a_person(rows: list[Row]) -> None:
    """A person is the same whether or not the rows of other visitors are there."""
    found = people(rows, SEED)
    visitor = next(iter(found))
    alone = people([row for row in rows if row.visitor == visitor], SEED)
    assert alone == {visitor: found[visitor]}
