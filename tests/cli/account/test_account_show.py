"""`leadscore account show`: what a person and a program see of one account."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from services.scorer.accounts.keep import AccountKeeper
from services.scorer.count import BatchCounter, decode_records
from services.scorer.models import change_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.models.rescore import Rescore
from services.scorer.offsets import Offsets
from services.scorer.store.models import Author
from shared import database as postgres
from shared.codec import encode
from shared.errors import Invalid
from shared.events import Event
from shared.ids import SystemIds, event_id
from shared.kafka.stream import Received
from shared.leads.identifiers import IdentityRules
from tests.cli.commands import run
from tests.scorer.account_world import SECTION
from tests.scorer.conftest import MODEL

KEY = "an identity key for account show"


def event(message: str, name: str, age: timedelta = timedelta(0), **fields: object) -> Event:
    now = datetime.now(UTC)
    return Event(
        event_id=event_id("web", message),
        source="web",
        kind="form",
        name=name,
        occurred_at=now - age,
        received_at=now,
        **fields,  # type: ignore[arg-type]
    )


EVENTS = [
    event("a", "form.submitted", email="ada@engines.example"),
    event("a2", "form.submitted", email="ada@engines.example"),
    event("b", "page.viewed", email="bob@engines.example"),
    event("c", "page.viewed", timedelta(days=40), email="cy@engines.example"),
    event("d", "form.submitted", email="dan@gmail.com"),
    event("e", "page.viewed", email="eve@other.example", account_id="[bold]ACME"),
]


async def scored(database: str, model: str, events: Sequence[Event]) -> None:
    """A database in which these events are counted under this model, and every account has looked."""
    records = [
        Received(partition=0, offset=n, timestamp_ms=0, key=b"", value=encode(one))
        for n, one in enumerate(events)
    ]
    engine = postgres.engine(database, application="test", pool_size=1)
    rules = IdentityRules(key=KEY.encode())
    counter = BatchCounter(models=ModelsInForce(), rules=rules, topic="t", ids=SystemIds())
    async with postgres.transaction(engine) as connection:
        number = await change_model.draft(connection, ("test", model, {}), Author(name="test"))
        await change_model.publish(connection, number, Author(name="test"), silent=False)
    rescore = Rescore(database=engine, counter=counter, interval_s=1)
    while await rescore.turn():
        continue
    async with postgres.transaction(engine) as connection:
        claim = await Offsets(group="g", topic="t", owner="o").claim(connection, 0, generation=1, first=0)
        assert claim is not None
        await counter.count(connection, decode_records(records), now=datetime.now(UTC))
    await AccountKeeper(database=engine, models=counter.models, interval_s=1).turn()
    await engine.dispose()


@pytest_asyncio.fixture
async def companies(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Three people of one company, one of another, one private."""
    await scored(database, MODEL + SECTION, EVENTS)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("LEADSCORE_IDENTITY_KEY", KEY)
    yield


def test_people_see_score_stage_people_and_moves(companies: None) -> None:
    """The tables name the stage, every person with score and stage, and who is active."""
    shown = run("account", "show", "engines.example")
    assert "engaged" in shown
    assert "2 active in 30 days" in shown
    assert "ada@engines.example" in shown
    assert "(inactive)" in shown
    assert shown.index("ada@engines.example") < shown.index("bob@engines.example")


def test_the_guide_shows_what_is_printed(companies: None) -> None:
    """But for the times."""
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "accounts.md").read_text()
    told = guide.partition("$ leadscore account show engines.example\n")[2].partition("```")[0]
    assert plain(run("account", "show", "engines.example")) == plain(told)


def plain(text: str) -> list[str]:
    """The lines without times and without blanks at their ends."""
    lines = re.sub(r"[-0-9]{10} \d\d:\d\d", "(time)", text).splitlines()
    return [line.rstrip() for line in lines if line.strip()]


def test_programs_get_json(companies: None) -> None:
    """--json is one object with the same numbers, people and moves."""
    seen = json.loads(run("account", "show", "engines.example", "--json"))
    assert (seen["kind"], seen["score"], seen["active_people"], seen["people_count"]) == ("domain", 60, 2, 3)
    assert [one["email"] for one in seen["people"]] == [
        f"{name}@engines.example" for name in ("ada", "bob", "cy")
    ]
    assert [one["active"] for one in seen["people"]] == [True, True, False]
    assert [(one["previous_stage"], one["stage"], one["cause"]) for one in seen["transitions"]] == [
        ("none", "engaged", "people")
    ]


@pytest.mark.parametrize("who", ["Engines.Example", "Bob@engines.example"])
def test_an_account_is_found_by_domain_and_by_whoever_belongs_to_it(companies: None, who: str) -> None:
    """However it is written."""
    assert json.loads(run("account", "show", who, "--json"))["name"] == "engines.example"


def test_an_account_id_is_shown_as_it_was_sent(companies: None) -> None:
    """And not read as markup."""
    assert "[bold]ACME" in run("account", "show", "[bold]ACME")


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("nobody.example", "there is no account"),
        ("dan@gmail.com", "belongs to no account"),
        ("x@y.example", "no lead has the address"),
    ],
)
def test_what_is_no_account_is_said_to_be_none(companies: None, who: str, why: str) -> None:
    """An error with a remedy, not an empty table."""
    with pytest.raises(Invalid, match=why):
        run("account", "show", who)


def test_a_model_without_accounts_says_so(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to guess why there are none."""
    asyncio.run(scored(database, MODEL, EVENTS[:1]))
    monkeypatch.setenv("DATABASE_URL", database)
    with pytest.raises(Invalid, match="has no accounts"):
        run("account", "show", "engines.example")
