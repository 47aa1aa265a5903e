"""The sales queue as a destination: topic leads.sales.v1, one record per transition, keyed by lead.

In: its entry in routing.yaml. Out: `KIND`. services/router/send_kafka.py sends.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from services.router.breaker import Policy
from services.router.destination import DestinationShape, InFlight, Kind, Reading, Sender, Services, Settings
from services.router.render import Language

if TYPE_CHECKING:
    from services.router.settings import RouterSettings


class KafkaShape(DestinationShape):
    """The sales queue: topic leads.sales.v1, one record per transition, keyed by lead."""

    kind: Literal["kafka"]
    language: Language | None = Field(default=None, description="Of the reasons' sentences.")
    in_flight: InFlight = Field(default=64, description="Records on their way at the same time at most.")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaDestination(Settings):
    """The sales queue, `leads.sales.v1`."""


def read(shape: KafkaShape, reading: Reading) -> KafkaDestination:
    """The entry as it will be used."""
    return KafkaDestination(
        name=shape.name, language=shape.language or reading.language, in_flight=shape.in_flight
    )


def sender(_settings: KafkaDestination, services: Services) -> Sender:
    """What writes to the topic."""
    from services.router.send_kafka import KafkaQueue
    from shared.kafka import connect

    return KafkaQueue(publisher=services.publisher, topic=connect.topics(services.configured).sales)


def policy(_configured: "RouterSettings") -> Policy:
    """The queue is on our own Kafka: when it comes back, leads must not wait for a receiver's politeness."""
    return Policy(open_s=5, open_most_s=5, trial_s=30, disable_after=None)


KIND: Final = Kind(
    name="kafka", shape=KafkaShape, wants="every", read=read, sender=sender, policy=policy, needs_kafka=True
)
