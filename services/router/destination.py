"""What a destination is, and which kinds there are: one module in `destinations/` each, found by itself.

In: the names of packages. Out: `Kind` by name. To add one is to add a module with a `KIND` of its own to
services/router/destinations/, or to a package that LEADSCORE_ROUTER_DESTINATIONS names; nothing else knows
it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.router.breaker import Policy
from services.router.mistakes import Mistakes, Where
from services.router.queue import Delivery
from services.router.render import Language, render
from services.router.retry import Outcome
from shared.leads.transition_row import TransitionRow
from shared.plugins import Plugins

if TYPE_CHECKING:  # whoever only reads routes (`leadscore model plan`) needs no Kafka
    from services.router.settings import RouterSettings
    from shared.clock import Clock
    from shared.kafka.publish import Publisher

SHIPPED: Final = "services.router.destinations"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
InFlight = Annotated[int, Field(ge=1, le=256)]
Wants = Literal["every", "latest"]
"""`every`: each transition, in order; `latest`: only the newest that waits, as a record of a CRM is kept."""


class DestinationShape(BaseModel):
    """What every entry under `destinations:` has; a kind adds `kind: Literal[…]` and what else it needs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    name: Name = Field(description="For routes, metrics and messages.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every destination has once its entry is read; a kind adds its own.

    in_flight:  deliveries at the same time at most
    """

    name: str
    language: Language
    in_flight: int

    @property
    def on(self) -> bool:
        """False where an address is not set: nothing is planned for it."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an entry is read with.

    where:  its place in the file; `mistakes` takes what is wrong, a path and a sentence with a remedy
    """

    where: Where
    language: Language
    environment: Mapping[str, str]
    mistakes: Mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a destination may use to send."""

    configured: "RouterSettings"
    publisher: "Publisher"
    clock: "Clock"


class Sender(Protocol):
    """Sends deliveries to one destination, and reads its answers."""

    async def send(self, delivery: Delivery) -> Outcome:
        """One attempt, within the destination's own deadline; never raises for what the world does."""

    async def stop(self) -> None:
        """Close connections."""


def webhook_policy(configured: "RouterSettings") -> Policy:
    """When to stop trying a receiver that somebody else runs."""
    return Policy(
        failures=configured.breaker_failures,
        open_s=configured.breaker_open_s,
        trial_s=configured.lease_s,
        disable_after=timedelta(hours=configured.disable_after_h),
    )


def _never_off(_shape: Any, _environment: Mapping[str, str]) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of destination.

    name:         `kind` in routing.yaml
    shape:        what an entry may say
    wants:        every transition, or the latest state only
    read:         an entry → its settings, with mistakes noted
    sender:       those settings → what sends and reads the answers
    render:       a transition → the body of its delivery; raises Invalid
    policy:       when its circuit breaker opens
    is_off:       whether an entry's address is not set; asked by those who look and do not send
    needs_kafka:  whether our own Kafka has to be there
    """

    name: str
    shape: type[DestinationShape]
    wants: Wants
    read: Callable[[Any, Reading], Settings]
    sender: Callable[[Any, Services], Sender]
    render: Callable[[TransitionRow, Language], bytes] = render
    policy: Callable[["RouterSettings"], Policy] = webhook_policy
    is_off: Callable[[Any, Mapping[str, str]], bool] = _never_off
    needs_kafka: bool = False


Kinds = Mapping[str, Kind]
"""Name → kind"""


_PLUGINS: Final = Plugins(
    type=Kind, attribute="KIND", noun="a destination", setting="LEADSCORE_ROUTER_DESTINATIONS"
)


def kinds(packages: Sequence[str] = ()) -> Kinds:
    """Those that come with Leadscore, and those of these packages.

    Raises Misconfigured if a package is not there, a module has no `KIND`, or two have one name.
    """
    return _PLUGINS.find([SHIPPED, *packages])
