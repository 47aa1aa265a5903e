"""The forms that the demo's visitors fill in."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from services.cli.demo.calls import Run
from services.cli.demo.forms import FORMS, Submit, submits
from services.cli.demo.people import people
from services.cli.demo.rows import Row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEED = 1


def _all(rows: list[Row]) -> list[Submit]:
    return submits(rows, people(rows, SEED), Run.ending(NOW, rows, "r"), SEED)


def test_every_form_is_used(rows: list[Row]) -> None:
    """Newsletter, contact and demo request are all filled in."""
    assert set(Counter(submit.form for submit in _all(rows))) == set(FORMS)


def test_only_recent_visitors_fill_in_forms(rows: list[Row]) -> None:
    """A form carries no time, so only visitors of the last three weeks fill one in."""
    recent = {f"demo-{row.visitor}" for row in rows if row.at >= rows[-1].at - timedelta(days=21)}
    people_only = [submit for submit in _all(rows) if not submit.fields["website_url"]]
    assert people_only
    assert {submit.fields["anonymous_id"] for submit in people_only} <= recent


def test_machines_fill_the_hidden_field(rows: list[Row]) -> None:
    """A few posts fill the hidden field, as machines do; people leave it empty."""
    assert sum(bool(submit.fields["website_url"]) for submit in _all(rows)) == 3


def test_no_rows_no_forms() -> None:
    """An empty selection fills in nothing, machines included."""
    assert submits([], {}, Run.ending(NOW, [], "r"), SEED) == []
