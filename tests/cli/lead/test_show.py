"""`leadscore lead show`: what a person and a program see of one lead."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from services.scorer.count import BatchCounter, decode_records
from services.scorer.models import first_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.offsets import Offsets
from shared import database as postgres
from shared.codec import encode
from shared.errors import Invalid
from shared.events import Event
from shared.ids import SystemIds, event_id
from shared.kafka.stream import Received
from shared.leads.identifiers import IdentityRules
from tests.cli.commands import run

CONFIG = Path(__file__).resolve().parents[3] / "deploy" / "config"
KEY = "an identity key for lead show"
EMAIL = "ada@engines.example"


def event(message: str, name: str, **fields: object) -> Event:
    now = datetime.now(UTC)
    return Event(
        event_id=event_id("web", message),
        source="web",
        kind="form",
        name=name,
        occurred_at=now,
        received_at=now,
        **fields,  # type: ignore[arg-type]
    )


@pytest_asyncio.fixture
async def scored(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A database in which Ada has requested a demo, under the reference model."""
    events = [
        event("v", "page.viewed", anonymous_id="a", context={"page": {"path": "/pricing"}}),
        event(
            "f",
            "form.submitted",
            anonymous_id="a",
            user_id="user-1",
            email=EMAIL,
            traits={"email": EMAIL, "company": "[bold]Engines[/bold]"},
            properties={"form": "demo-request"},
        ),
    ]
    records = [
        Received(partition=0, offset=n, timestamp_ms=0, key=b"", value=encode(one))
        for n, one in enumerate(events)
    ]
    engine = postgres.engine(database, application="test", pool_size=1)
    await first_model.ensure_first_model(engine, CONFIG / "scoring.yaml")
    async with postgres.transaction(engine) as connection:
        claim = await Offsets(group="g", topic="t", owner="o").claim(connection, 0, generation=1, first=0)
        assert claim is not None
        counter = BatchCounter(
            models=ModelsInForce(), rules=IdentityRules(key=KEY.encode()), topic="t", ids=SystemIds()
        )
        await counter.count(connection, decode_records(records), now=datetime.now(UTC))
    await engine.dispose()
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("LEADSCORE_IDENTITY_KEY", KEY)
    yield


def test_people_see_score_stage_reasons_and_timeline(scored: None) -> None:
    """The tables name the stage, the reasons with their points, and the newest events."""
    shown = run("lead", "show", EMAIL)
    assert "MQL" in shown
    assert "= score" in shown
    assert "demo-request" in shown
    assert "/pricing" in shown


def test_the_id_of_a_lead_can_be_copied(scored: None) -> None:
    """At eighty columns it stands in one line, as other commands want it."""
    lead = json.loads(run("lead", "show", EMAIL, "--json"))["lead"]
    assert lead in run("lead", "show", EMAIL)


def test_what_a_sender_wrote_is_not_read_as_markup(scored: None) -> None:
    """A company called [bold] is shown as it was sent."""
    assert "[bold]" in run("lead", "show", EMAIL)


def test_programs_get_json_whose_receipts_add_up(scored: None) -> None:
    """--json is one object; its receipts sum to its score."""
    view = json.loads(run("lead", "show", EMAIL, "--json"))
    assert view["stage"] == "mql"
    assert sum(line["points"] for line in view["receipts"]) == view["score"] > 0
    assert [passed["stage"] for passed in view["stages"]] == ["lead", "mql"]
    assert len(view["timeline"]) == 2


def test_an_address_is_found_however_it_is_written(scored: None) -> None:
    """Case does not matter: one mailbox, one lead."""
    assert "MQL" in run("lead", "show", "Ada@Engines.Example")


@pytest.mark.parametrize("who", ["user-1", "a"])
def test_a_lead_is_found_by_every_id_that_was_sent(scored: None, who: str) -> None:
    """Whoever sent an event with a user id or anonymous id looks for just that."""
    assert "MQL" in run("lead", "show", who)


def test_german_reasons(scored: None) -> None:
    """--language de gives the same receipt in German."""
    assert "angefragt" in run("lead", "show", EMAIL, "--language", "de")


def test_an_unknown_address_is_said_to_be_unknown(scored: None) -> None:
    """Nobody with that address is an error with a remedy, not an empty table."""
    with pytest.raises(Invalid, match="no lead has the address"):
        run("lead", "show", "nobody@engines.example")
