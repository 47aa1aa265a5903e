"""`leadscore retention`: what it shows, and that only `--apply` changes anything."""

import asyncio

import asyncpg
import pytest
from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application
from shared.kafka.connect import kept_topics
from shared.settings import TopicSettings, load

_OLD = """
INSERT INTO deliveries (delivery_id, destination, transition_id, lead_id, sequence, kind, body, state,
  finished_at)
SELECT gen_random_uuid(), 'crm', gen_random_uuid(), gen_random_uuid(), n, 'every', 'x', 'delivered',
  now() - interval '1 year' FROM generate_series(1, 3) n
"""


def run(*argv: str) -> str:
    words = ["retention", *argv]
    done = CliRunner().invoke(
        application(COMMANDS, words), words, catch_exceptions=False, env={"COLUMNS": "200"}
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def row(said: str, what: str) -> list[str]:
    """The cells of a line of the table."""
    [line] = [line for line in said.splitlines() if what in line]
    return [cell.strip() for cell in line.strip("│ ").split("│")]


@pytest.mark.asyncio
async def test_it_shows_what_is_older_and_applies_on_request(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking changes nothing; `--apply` empties what is older, and then nothing is."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("LEADSCORE_RETENTION_TOPIC_SALES_DAYS", "3")
    connection = await asyncpg.connect(database)
    await connection.execute(_OLD)
    await connection.close()
    for _ in range(2):
        said = await asyncio.to_thread(run)
        assert row(said, "bodies of deliveries") == [
            "bodies of deliveries",
            "90 days",
            "3",
            "LEADSCORE_RETENTION_DELIVERIES_DAYS",
        ]
    assert row(said, "visitors")[1:3] == ["for ever", "0"]
    assert row(said, "Kafka: sales")[1] == "3 days"
    assert "3 ahead of this one" in said
    assert "3 deliveries and 0 dead letters emptied" in await asyncio.to_thread(run, "--apply")
    assert row(await asyncio.to_thread(run), "bodies of deliveries")[2] == "0"


def test_the_topics_are_kept_as_the_settings_say() -> None:
    """Days of each topic, as `leadscore topics` makes and checks them."""
    settings = load(TopicSettings, {"LEADSCORE_RETENTION_TOPIC_REJECTED_DAYS": "7"})
    kept = {topic.name: topic.retention_ms // 86_400_000 for topic in kept_topics(settings).wanted()}
    assert kept == {"leads.events.v1": 14, "leads.rejected.v1": 7, "leads.sales.v1": 14}
