"""The Kafka topics: names, keys, partitions, retention.

In: an optional prefix (several installations on one cluster, or one test beside another).
Out: `Topics`. Refuses auto-creation: `leadscore topics` creates and checks them.
"""

from dataclasses import dataclass
from typing import Final

EVENTS: Final = "leads.events.v1"
REJECTED: Final = "leads.rejected.v1"
SALES: Final = "leads.sales.v1"

_DAY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """How one topic is to be.

    partitions:    chosen once; a change sends a person's later events to another partition
    retention_ms:  how long Kafka keeps records; history itself is in Postgres
    key:           what the record key is, for docs
    """

    name: str
    partitions: int
    retention_ms: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """All topics of one installation. …_days: how long Kafka keeps what is in them."""

    prefix: str = ""
    events_days: int = 14
    rejected_days: int = 30
    sales_days: int = 14

    @property
    def events(self) -> str:
        return self.prefix + EVENTS

    @property
    def rejected(self) -> str:
        return self.prefix + REJECTED

    @property
    def sales(self) -> str:
        return self.prefix + SALES

    def wanted(self) -> list[Topic]:
        """Every topic as it should exist."""
        return [
            Topic(
                name=self.events,
                partitions=12,
                retention_ms=self.events_days * _DAY_MS,
                key="source and person",
            ),
            Topic(name=self.rejected, partitions=3, retention_ms=self.rejected_days * _DAY_MS, key="source"),
            Topic(name=self.sales, partitions=3, retention_ms=self.sales_days * _DAY_MS, key="lead id"),
        ]
