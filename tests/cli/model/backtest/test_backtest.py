"""`leadscore model backtest` on a real Postgres: from the events table to the figures."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.model.backtest import read
from services.scorer.models import change_model
from services.scorer.store.models import Author
from shared import database as postgres
from shared.errors import Invalid, Misconfigured
from shared.events import Event
from shared.ids import event_id
from tests.cli import commands
from tests.cli.model.conftest import count
from tests.scoring import small

LEADS = 120
NOW = datetime.now(UTC)


def event(lead: int, name: str, at: datetime, **fields: Any) -> Event:
    given = {"kind": "web", "source": "web", "user_id": f"u{lead}", "received_at": at, **fields}
    return Event(event_id=event_id("web", f"{lead}-{name}-{at}"), name=name, occurred_at=at, **given)


def world() -> list[Event]:
    """Every third lead shows the signal every four days and wins after twenty; all make noise at any time."""
    chance = Random(7)
    found: list[Event] = []
    for lead in range(LEADS):
        born = NOW - timedelta(days=120 - lead % 40)
        found += [event(lead, "noise", born + timedelta(days=chance.random() * 60)) for _ in range(4)]
        found.append(event(lead, "person.identified", born, email=f"lead{lead}@engines.example"))
        if lead % 3 == 0:
            found += [event(lead, "signal", born + timedelta(days=day)) for day in (0, 4, 8, 12, 16)]
            won_at = born + timedelta(days=20)
            found.append(event(lead, "deal.won", won_at, kind="crm", source="crm", namespace="product"))
    return sorted(found, key=lambda one: one.occurred_at)


def model_text(pays: str) -> str:
    return small.BASE + "engagement:\n" + small.rule(pays, f"event: {pays}, points: 10, half_life: 60d")


@pytest_asyncio.fixture
async def engine(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    """A database in which the model that pays the signal is active, and nothing happened."""
    made = postgres.engine(database, application="test", pool_size=1)
    async with postgres.transaction(made) as connection:
        author = Author(name="test")
        number = await change_model.draft(connection, ("signal", model_text("signal"), {}), author)
        await change_model.publish(connection, number, author, silent=False)
    monkeypatch.setenv("DATABASE_URL", database)
    yield made
    await made.dispose()


@pytest_asyncio.fixture
async def counted(engine: AsyncEngine) -> AsyncEngine:
    """The same after the world has happened."""
    await count(engine, world())
    return engine


def run(*options: str) -> str:
    return commands.run("model", "backtest", *options)


def test_the_model_that_pays_the_signal_wins(counted: AsyncEngine, tmp_path: Path) -> None:
    """The active model finds the converters, a draft that pays noise does not; baselines stand beside."""
    draft = tmp_path / "noise.yaml"
    draft.write_text(model_text("noise"))
    told = json.loads(run(str(draft), "--horizon", "14d", "--json"))
    aucs = {order["name"]: order["auc"] for order in told["orders"]}
    assert list(aucs) == ["noise", "active, version 1", "recency", "Odoo", "shuffled"]
    assert aucs["active, version 1"] > 0.95
    assert 0.35 < aucs["noise"] < 0.65
    assert 0.4 < aucs["shuffled"] < 0.6
    assert told["leads"] == LEADS
    assert told["converters"] == LEADS / 3
    assert [rule["rule"] for rule in told["rules"]] == ["noise"]


def test_people_get_tables_and_sentences(counted: AsyncEngine) -> None:
    """The active model alone stands beside the baselines; assumptions, findings and rules are told."""
    shown = run("--horizon", "14d")
    for words in ("active, version 1", "95 % interval", "known when it had been received", "Rules of"):
        assert words in " ".join(shown.split())


def test_two_runs_give_the_same_figures(counted: AsyncEngine) -> None:
    """Up to the same moment the same history gives the same report."""
    options = ("--horizon", "14d", "--json", "--as-of", NOW.isoformat(timespec="seconds"))
    assert run(*options) == run(*options)


@pytest.mark.asyncio
async def test_a_merged_lead_is_one_lead_with_both_histories(engine: AsyncEngine) -> None:
    """Two cookies that turn out to be one person are read as one lead, in one chunk, once."""
    at = NOW - timedelta(days=100)
    apart = [
        event(1, "signal", at, user_id=None, anonymous_id="a"),
        event(1, "noise", at, user_id=None, anonymous_id="b"),
        event(2, "noise", at, user_id=None, anonymous_id="c"),
    ]
    together = [
        event(1, "signal", at + timedelta(days=1), anonymous_id="a"),
        event(1, "noise", at + timedelta(days=2), anonymous_id="b"),
    ]
    for batch in (apart, together):
        await count(engine, batch)
    found = [chunk async for chunk in read.chunks(engine, visitors=False)]
    (history,) = [history for chunk in found for history in chunk.values()]
    assert sorted(one.name for one in history) == ["noise", "noise", "signal", "signal"]
    everybody = [chunk async for chunk in read.chunks(engine, visitors=True)]
    assert sorted(len(history) for chunk in everybody for history in chunk.values()) == [1, 4]


@pytest.mark.asyncio
async def test_chunks_are_small_and_leave_nobody_out(
    counted: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the chunks, every lead comes exactly once."""
    monkeypatch.setattr(read, "_CHUNK_EVENTS", 25)
    monkeypatch.setattr(read, "_CHUNK_LEADS", 7)
    found = [chunk async for chunk in read.chunks(counted, visitors=False)]
    assert max(map(len, found)) <= 7
    assert max(sum(map(len, chunk.values())) for chunk in found) <= 25
    leads = [lead for chunk in found for lead in chunk]
    assert len(leads) == len(set(leads)) == LEADS


def test_without_history_it_says_so(engine: AsyncEngine) -> None:
    """No lead, no figures: exit with words (1 by `main`)."""
    with pytest.raises(Invalid, match="no known lead has a history of 60d and more"):
        run()


def test_without_conversions_it_says_what_would_count(counted: AsyncEngine) -> None:
    """An outcome that never happened, or only by the wrong kind of sender, is named."""
    with pytest.raises(Invalid, match=r"none of \d+ leads converted: no noise from a CRM within 14d"):
        run("--horizon", "14d", "--outcome", "noise")
    assert "from any source" in " ".join(
        run("--horizon", "14d", "--outcome", "noise", "--outcome-kind", "any").split()
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--horizon", "soon"), '--horizon: expected a duration such as 12h, 7d, 8w; seen: "soon"'),
        (("--every", "0d"), "--every: expected a duration"),
        (("--as-of", "yesterday"), "--as-of: expected a date"),
        (("--since", "31.1."), "--since: expected a date"),
        (("absent.yaml",), "absent.yaml"),
    ],
)
def test_wrong_options_are_explained(engine: AsyncEngine, options: tuple[str, ...], message: str) -> None:
    """A mistake names the option, what was expected and what was seen; exit code 2 by `main`."""
    with pytest.raises(Misconfigured, match=message):
        run(*options)
