"""What a CRM would know of a lead: fields as text, and no behaviour."""

from datetime import timedelta
from typing import Any

import pytest

from services.cli.model.backtest.crm_view import came_from, stage_after, view
from services.cli.model.backtest.person import Person
from tests.cli.model.backtest.histories import MONDAY, SIGNAL, event

FREE = frozenset({"freemail.example"})


@pytest.mark.parametrize(
    ("profile", "field", "value"),
    [
        ({"country": "DE "}, "country", "de"),
        ({"email_domain": "freemail.example"}, "email", "free"),
        ({"email_domain": "engines.example"}, "email", "business"),
        ({}, "email", ""),
        ({"phone": "+49 30 1"}, "phone", "known"),
        ({"phone": " "}, "phone", ""),
        ({"employees": "320"}, "size", "250 and more"),
        ({"employees": 9}, "size", "1 and more"),
        ({"employees": 0}, "size", ""),
        ({"employees": "many"}, "size", ""),
        ({"industry": ["software"]}, "industry", ""),
    ],
)
def test_fields_are_text_and_empty_where_nothing_is_known(
    profile: dict[str, Any], field: str, value: str
) -> None:
    """Addresses become a kind, numbers of people a band; what is no text is nothing."""
    assert getattr(view(profile, source="", stage="lead", free_mail=FREE), field) == value


@pytest.mark.parametrize(
    ("context", "source"),
    [
        ({"campaign": {"source": "LinkedIn"}, "referrer": {"url": "https://www.google.com/"}}, "linkedin"),
        ({"referrer": {"url": "https://www.google.com/?q=a"}, "channel": "organic"}, "www.google.com"),
        ({"channel": "email"}, "email"),
        ({"referrer": {"url": "http://[broken"}, "campaign": "spring"}, ""),
        ({}, ""),
    ],
)
def test_where_a_person_came_from(context: dict[str, Any], source: str) -> None:
    """The campaign's source before the other site before the channel."""
    assert came_from(event("page.viewed", MONDAY, context=context)) == source


@pytest.mark.parametrize(
    ("name", "kind", "properties", "stage"),
    [
        ("lead.accepted", "crm", {}, "sal"),
        ("deal.created", "crm", {}, "opportunity"),
        ("deal.created", "web", {}, ""),
        ("lead.moved", "crm", {"stage": "sql"}, "sql"),
        ("lead.moved", "crm", {"stage": "customer"}, ""),
        ("page.viewed", "crm", {}, ""),
    ],
)
def test_sales_alone_moves_a_lead_in_the_pipeline(
    name: str, kind: str, properties: dict[str, Any], stage: str
) -> None:
    """Events of a CRM name the stage; a public key cannot, and nobody is moved to being won."""
    assert stage_after(event(name, MONDAY, kind=kind, properties=properties)) == stage


def test_the_first_touch_and_the_newest_stage_count_whatever_arrives_first() -> None:
    """Order of arrival does not matter, order of occurrence does."""
    person = Person([SIGNAL], FREE)
    hour = timedelta(hours=1)
    for one in (
        event("deal.created", MONDAY + 2 * hour, kind="crm"),
        event("lead.accepted", MONDAY + hour, kind="crm"),
        event("page.viewed", MONDAY + hour, context={"campaign": {"source": "ads"}}),
        event("page.viewed", MONDAY, context={"campaign": {"source": "fair"}}),
    ):
        person.learn(one)
    assert (person.crm().source, person.crm().stage) == ("fair", "opportunity")


def test_a_lead_has_two_fields_of_which_nothing_known_is_a_value() -> None:
    """An empty phone or address counts for Odoo's method; other empty fields do not."""
    lead = view({}, source="", stage="sal", free_mail=FREE).lead()
    assert lead.counts_in() == [("email", ""), ("phone", "")]
    assert lead.stage == "sal"
