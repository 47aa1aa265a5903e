"""What has become of the events so far: ingest's counters and the scorer's and router's tables.

In: the address of ingest's metrics, a database. Out: `Standing`s, always as the difference to the beginning.
Refuses to guess: what cannot be read raises.

The tallies in `partition_offsets` move in the transaction that counts, so they are never ahead of the truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction

_ACCEPTED: Final = "leadscore_ingest_accepted_events_total"
_REJECTED: Final = "leadscore_ingest_rejected_events_total"

_TALLY: Final = """
SELECT coalesce(sum(counted), 0)::bigint AS counted, coalesce(sum(duplicate), 0)::bigint AS duplicate,
       coalesce(sum(quarantined), 0)::bigint AS quarantined,
       coalesce(sum(dead_lettered), 0)::bigint AS dead_lettered
FROM partition_offsets
"""
_UNPLANNED: Final = "SELECT count(*) FROM transitions WHERE planned_at IS NULL AND recorded_at >= $1"
_DELIVERIES: Final = """
SELECT destination, state, count(*) AS number FROM deliveries
WHERE created_at >= $1 GROUP BY 1, 2 ORDER BY 1, 2
"""
_LEADS: Final = (
    "SELECT stage, count(*) AS number FROM leads WHERE merged_into IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
)

_WAITING: Final = frozenset({"pending", "claimed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What the scorer did with the events it took, in numbers of events."""

    counted: int
    duplicate: int
    quarantined: int
    dead_lettered: int

    @property
    def processed(self) -> int:
        return self.counted + self.duplicate + self.quarantined + self.dead_lettered

    def since(self, before: "Tally") -> "Tally":
        return Tally(
            counted=self.counted - before.counted,
            duplicate=self.duplicate - before.duplicate,
            quarantined=self.quarantined - before.quarantined,
            dead_lettered=self.dead_lettered - before.dead_lettered,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Deliveries since a moment.

    unplanned:  transitions that have no deliveries yet
    states:     destination → state → how many
    """

    unplanned: int
    states: Mapping[str, Mapping[str, int]]

    @property
    def waiting(self) -> int:
        """What will be tried, or tried again."""
        return sum(
            number for states in self.states.values() for state, number in states.items() if state in _WAITING
        )

    @property
    def made(self) -> int:
        """What is over, delivered or given up."""
        return sum(sum(states.values()) for states in self.states.values()) - self.waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Ingest's counters, all sources together."""

    accepted: int
    rejected: int

    def since(self, before: "Intake") -> "Intake":
        return Intake(accepted=self.accepted - before.accepted, rejected=self.rejected - before.rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the events of a run are."""

    intake: Intake
    tally: Tally
    deliveries: Deliveries

    @property
    def counted(self) -> bool:
        """Whether the scorer has processed everything that was accepted."""
        return self.tally.processed >= self.intake.accepted

    @property
    def delivered(self) -> bool:
        """Whether, beyond that, nothing is left to plan or to deliver."""
        return self.counted and not self.deliveries.unplanned and not self.deliveries.waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Everything as it was when the run began; `at` is the database's time."""

    at: datetime
    intake: Intake
    tally: Tally


class Watcher:
    """Looks at ingest and at the tables, and tells what happened since it was made with `begin`."""

    def __init__(
        self, database: AsyncEngine, client: httpx.AsyncClient, metrics_url: str, began: Beginning
    ) -> None:
        self._database = database
        self._client = client
        self._metrics_url = metrics_url
        self._began = began

    @classmethod
    async def begin(cls, database: AsyncEngine, client: httpx.AsyncClient, metrics_url: str) -> Self:
        """Remember how everything is now.

        Raises Transient if the database, httpx.HTTPError if ingest's metrics cannot be read.
        """
        async with transaction(database) as connection:
            at: datetime = await connection.fetchval("SELECT now()")
            tally = await _tally(connection)
        began = Beginning(at=at, intake=await _intake(client, metrics_url), tally=tally)
        return cls(database, client, metrics_url, began)

    async def look(self) -> Standing:
        """How far it is now. Ingest is asked first: what comes in between is then not missing."""
        intake = await _intake(self._client, self._metrics_url)
        async with transaction(self._database) as connection:
            tally = await _tally(connection)
            deliveries = await _deliveries(connection, self._began.at)
        return Standing(
            intake=intake.since(self._began.intake),
            tally=tally.since(self._began.tally),
            deliveries=deliveries,
        )

    async def leads(self) -> dict[str, int]:
        """Stage → leads in it now, merged ones left out."""
        async with transaction(self._database) as connection:
            return {row["stage"]: row["number"] for row in await connection.fetch(_LEADS)}


def read_intake(text: str) -> Intake:
    """Ingest's counters in the text of its /metrics."""
    totals = {_ACCEPTED: 0.0, _REJECTED: 0.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in totals:
                totals[sample.name] += sample.value
    return Intake(accepted=round(totals[_ACCEPTED]), rejected=round(totals[_REJECTED]))


async def _intake(client: httpx.AsyncClient, metrics_url: str) -> Intake:
    response = await client.get(metrics_url)
    response.raise_for_status()
    return read_intake(response.text)


async def _tally(connection: Any) -> Tally:
    return Tally(**dict(await connection.fetchrow(_TALLY)))


async def _deliveries(connection: Any, since: datetime) -> Deliveries:
    states: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(_DELIVERIES, since):
        states.setdefault(row["destination"], {})[row["state"]] = row["number"]
    return Deliveries(unplanned=await connection.fetchval(_UNPLANNED, since), states=states)
