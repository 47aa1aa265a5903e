"""`leadscore model explain`: why a lead has, or had, its score."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.cli.model.explain import moment
from shared.errors import Invalid, Misconfigured
from tests.cli.model.conftest import Run


def explained(run: Run, *argv: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("model", "explain", *argv, "--json").output)
    return found


def test_the_present_score_with_its_arithmetic(scored: str, run: Run) -> None:
    """Lines add up; each says how many events met it, and what limits and decay left of them."""
    found = explained(run, "bob@example.com")
    assert found["score"] == 23
    [line] = found["lines"]
    assert (line["rule"], line["points"], line["count"], line["raw"]) == ("click", 23, 2, 30.0)
    assert line["decayed"] == pytest.approx(15 + 15 * 2 ** (-29 / 30), abs=0.01)
    assert [(one["rule"], one["times"], one["stage"]) for one in found["nearest"]][:2] == [
        ("form", 1, "mql"),
        ("click", 1, "mql"),
    ]


def test_a_past_score_knows_what_happened_until_then(scored: str, run: Run) -> None:
    """Two days ago there was one click, worth a little less than on its day."""
    then = datetime.now(UTC) - timedelta(days=2)
    found = explained(run, "bob@example.com", "--at", then.isoformat())
    assert (found["events"], found["arrived_late"]) == (1, 1)
    assert found["score"] == round(15 * 2 ** (-27 / 30))
    assert found["stage"] == "visitor"


def test_for_people_it_is_a_table_in_their_language(scored: str, run: Run) -> None:
    """The receipt in German, and what would have changed the stage."""
    shown = run("model", "explain", "bob@example.com", "--language", "de").output
    assert "= score" in shown
    assert "E-Mail" in shown
    assert "would have changed" in " ".join(shown.split())


def test_a_lead_is_found_by_its_id_too(scored: str, run: Run) -> None:
    """The id that webhooks name; one that is none is told."""
    lead = json.loads(run("lead", "show", "ada@example.com", "--json").output)["lead"]
    assert explained(run, lead)["score"] == 30
    ended = run("model", "explain", "nobody")
    assert isinstance(ended.exception, Invalid)
    assert "there is no lead nobody" in str(ended.exception)


@pytest.mark.parametrize("text", ["yesterday", "2026-11-01T09:00", "2026-13-01", ""])
def test_a_time_that_is_none_or_has_no_zone_is_refused(text: str) -> None:
    """The message repeats what was seen and shows two that work."""
    with pytest.raises(Misconfigured, match="2026-11-01T09:00Z"):
        moment(text)


def test_a_date_is_its_first_second_in_utc() -> None:
    """What a person means by a day, and the same moment with a zone."""
    assert moment("2026-11-01") == datetime(2026, 11, 1, tzinfo=UTC)
    assert moment("2026-11-01T10:00+01:00") == datetime(2026, 11, 1, 9, tzinfo=UTC)
