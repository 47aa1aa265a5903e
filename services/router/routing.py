"""What routing.yaml means, as values.

In: a checked file (services/router/route_file.py). Out: `Routing`, frozen. Refuses to print secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.router.decide import Route
from services.router.destination import Kind, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What routing.yaml says.

    kinds:  of each destination, by its name
    active: names of the destinations that are not off
    """

    routes: tuple[Route, ...]
    destinations: Mapping[str, Settings]
    kinds: Mapping[str, Kind] = field(repr=False)

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
