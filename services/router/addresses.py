"""Whether we may connect to an address (pure).

In: an address that a name resolved to, the networks that the operator allows. Out: a verdict.
Refuses everything that is not the public internet, and addresses that only wrap such a one, unless the
operator's list names its network: otherwise a webhook's URL could read our cloud's metadata service.

The deny list is explicit. `ipaddress.is_global` is not enough: on Python 3.11.7 it is True for
64:ff9b::7f00:1 (NAT64 of 127.0.0.1), 2002:7f00:1:: (6to4 of it) and 192.0.0.8.
Source: the IANA registries of special-purpose IPv4 and IPv6 addresses.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Verdict = Literal["public", "allowed", "denied"]

DENIED: Final[tuple[Network, ...]] = tuple(
    ip_network(cidr)
    for cidr in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT, and some clouds' metadata
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local: cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        # Only 2000::/3 is global unicast. These four are the rest: loopback, mapped, NAT64, unique local,
        # link-local, site-local, multicast, segment routing, and what is not assigned.
        "::/3",
        "4000::/2",
        "8000::/1",
        # Inside 2000::/3:
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)

_NAT64: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


def judge(address: Address, allowed: Sequence[Network] = ()) -> Verdict:
    """Whether this address is public, allowed by the operator, or neither.

    An address that wraps an IPv4 address is judged by both: a network that the operator allows does not
    allow every IPv4 address that can be written inside it.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return judge(address.ipv4_mapped, allowed)  # the kernel connects to exactly that
    if not _within(address, DENIED):
        return "allowed" if _within(address, allowed) else "public"
    if not _within(address, allowed):
        return "denied"
    inner = _wrapped(address)
    return "denied" if inner is not None and judge(inner, allowed) == "denied" else "allowed"


def read_address(text: str) -> Address:
    """The address in what `getaddrinfo` answers, without an interface's name (`fe80::1%eth0`)."""
    return ip_address(text.partition("%")[0])


def _wrapped(address: Address) -> IPv4Address | None:
    """The IPv4 address that a NAT64, 6to4 or Teredo address leads to."""
    if isinstance(address, IPv4Address):
        return None
    if _within(address, _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.sixtofour


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
