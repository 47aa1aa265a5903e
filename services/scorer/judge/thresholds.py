"""What the judge is told: from when on something is no person's (values).

Out: `Thresholds`, with defaults; the windows that no setting moves. judge_settings.py reads the environment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

Network = IPv4Network | IPv6Network

MINUTE_S: Final = 60.0
BEFORE_DELIVERY_S: Final = 60.0
"""A gateway looks at links before it accepts a mail: clicks this long before a delivery are part of it."""

SAME_MOMENT_S: Final = 2.0
"""Providers tell times in whole seconds: what is no further apart may have been the same moment."""

VISIT_S: Final = 120.0
"""A page view this long after a click is the visit that the click led to."""

OPEN_AFTER_S: Final = 3_600.0
"""An open this long after a click, and none before, says that the click came before the mail was opened."""

BURST_S: Final = 1.0
NEIGHBOUR_S: Final = 3.0
OPEN_BEFORE_S: Final = 86_400.0
"""A message that was opened this long before a click was open."""

NEAR_S: Final = OPEN_BEFORE_S + 7_200.0
"""No signal but a later proof that a person was there reaches further than this from one event to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From when on something is no person's.

    delivery_s:    a click within so many seconds of its message's delivery is quick
    links:         so many different links of one message, quick or at once, are no person's
    recipients:    so many of one domain who click within seconds are a gateway; fewer than 2: never
    burst_events:  so many events of one person within a second are no person's
    proof_days:    who proves to be a person within so many days gets back what was held against them weakly
    proxy_opens_count: whether opens by privacy proxies count
    trap_links:    parts of addresses that people do not see in a mail
    own_networks:  of the company's own; `datacentres`: of which no reader sits
    """

    on: bool = True
    delivery_s: float = 10.0
    links: int = 3
    recipients: int = 3
    burst_events: int = 20
    proof_days: float = 30.0
    proxy_opens_count: bool = False
    trap_links: tuple[str, ...] = ()
    own_networks: tuple[Network, ...] = ()
    datacentres: tuple[Network, ...] = ()

    @property
    def looks_at_neighbours(self) -> bool:
        return self.on and self.recipients > 1

    @property
    def proof_s(self) -> float:
        return self.proof_days * 86_400


def lies_in(address: str, networks: Sequence[Network]) -> bool:
    """Whether a truncated address may lie in one of these networks: what was cut off is given the benefit.

    address: the first of a /24, or of a /48 for IPv6; empty where nothing is known
    """
    if not address or not networks:
        return False
    try:
        first = ip_address(address)
    except ValueError:
        return False
    whole = _around(first.version, int(first))
    return any(one.version == whole.version and one.overlaps(whole) for one in networks)


def _around(version: int, first: int) -> Network:
    return IPv4Network((first, 24), strict=False) if version == 4 else IPv6Network((first, 48), strict=False)
