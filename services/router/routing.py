"""What routing.yaml means, as values.

In: a checked file (services/router/route_file.py). Out: `Routing`, frozen. Refuses to print secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.router.addresses import Network
from services.router.decide import Route
from services.router.render import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDestination:
    """A receiver of signed HTTP posts. Secrets stay out of the printed form.

    url:        empty if the destination is off
    keys:       signing keys, newest first
    allowed:    networks reachable beside the public internet
    in_flight:  requests at the same time at most
    """

    name: str
    language: Language
    in_flight: int
    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    allowed: tuple[Network, ...]
    ca_file: Path | None

    @property
    def on(self) -> bool:
        return bool(self.url)

    @property
    def plain(self) -> bool:
        """Whether it is http without TLS."""
        return self.url.startswith("http:")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaDestination:
    """The sales queue, `leads.sales.v1`."""

    name: str
    language: Language
    in_flight: int

    @property
    def on(self) -> bool:
        return True


Destination = WebhookDestination | KafkaDestination


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What routing.yaml says.

    active: names of the destinations that are not off
    """

    routes: tuple[Route, ...]
    destinations: Mapping[str, Destination]

    @property
    def active(self) -> frozenset[str]:
        return frozenset(name for name, one in self.destinations.items() if one.on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """Who gets what, for those who look and do not send: no address, no secret.

    destinations: all of them, in the order of the file; `off` those whose address is not set here
    """

    routes: tuple[Route, ...]
    destinations: tuple[str, ...]
    off: frozenset[str]
