"""Which addresses we connect to, compared with a list of our own made from the registries."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.router.addresses import Address, judge, read_address

# Special-purpose ranges as first and last address, independent of how the code writes them.
SPECIAL_V4 = [
    (int(IPv4Address(first)), int(IPv4Address(last)))
    for first, last in [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "255.255.255.255"),
    ]
]
SPECIAL_V6 = [
    (int(IPv6Address(first)), int(IPv6Address(last)))
    for first, last in [
        ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ]
]


def special(address: Address) -> bool:
    """The oracle."""
    if isinstance(address, IPv6Address) and int(address) >> 32 == 0xFFFF:
        address = IPv4Address(int(address) & 0xFFFF_FFFF)
    ranges = SPECIAL_V4 if isinstance(address, IPv4Address) else SPECIAL_V6
    return any(first <= int(address) <= last for first, last in ranges)


def near(ranges: list[tuple[int, int]]) -> st.SearchStrategy[int]:
    """Edges and insides of ranges: where mistakes live."""
    top = ranges[-1][1]
    edges = sorted({min(max(end + off, 0), top) for pair in ranges for end in pair for off in (-1, 0, 1)})
    return st.sampled_from(edges) | st.one_of(*(st.integers(*pair) for pair in ranges))


V4 = st.builds(IPv4Address, near(SPECIAL_V4) | st.integers(0, 2**32 - 1))
V6 = st.builds(IPv6Address, near(SPECIAL_V6) | st.integers(0, 2**128 - 1))
MAPPED = V4.map(lambda inner: IPv6Address((0xFFFF << 32) | int(inner)))
NAT64 = V4.map(lambda inner: IPv6Address(int(IPv6Address("64:ff9b::")) | int(inner)))
SIX_TO_FOUR = V4.map(lambda inner: IPv6Address((0x2002 << 112) | (int(inner) << 80)))
TEREDO = V4.map(lambda inner: IPv6Address((0x2001_0000 << 96) | (int(inner) ^ 0xFFFF_FFFF)))


@given(V4 | V6 | MAPPED | NAT64 | SIX_TO_FOUR | TEREDO)
@example(ip_address("169.254.169.254"))
@example(ip_address("::ffff:169.254.169.254"))
@example(ip_address("fd00:ec2::254"))
def test_public_is_exactly_what_is_not_special(address: Address) -> None:
    """The verdict equals the registries' for any address, also for one wrapped in IPv6."""
    assert judge(address) == ("denied" if special(address) else "public")


@given(V4 | V6)
def test_python_may_only_be_more_lenient(address: Address) -> None:
    """What we call public, the standard library calls global too (it also lets more through)."""
    if judge(address) == "public":
        assert address.is_global


@pytest.mark.parametrize(
    "text",
    ["64:ff9b::7f00:1", "2002:7f00:1::", "64:ff9b:1::1", "fec0::1", "192.0.0.8", "::1", "2001:0:1::"],
)
def test_the_addresses_that_fool_is_global_are_denied(text: str) -> None:
    """Measured on Python 3.11: `is_global` is True for several of these."""
    assert judge(ip_address(text)) == "denied"


@pytest.mark.parametrize(
    ("text", "allowed", "verdict"),
    [
        ("10.20.3.4", ["10.20.0.0/16"], "allowed"),
        ("10.21.3.4", ["10.20.0.0/16"], "denied"),
        ("::ffff:10.20.3.4", ["10.20.0.0/16"], "allowed"),
        ("fd12::1", ["fd12::/16", "10.0.0.0/8"], "allowed"),
        ("93.184.215.14", ["10.0.0.0/8"], "public"),
        ("93.184.215.14", ["93.184.215.0/24"], "allowed"),
        ("64:ff9b::5db8:d70e", ["64:ff9b::/96"], "allowed"),
        ("64:ff9b::a9fe:a9fe", ["64:ff9b::/96"], "denied"),
        ("64:ff9b::a9fe:a9fe", ["64:ff9b::/96", "169.254.0.0/16"], "allowed"),
        ("2002:7f00:1::", ["2002::/16"], "denied"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", ["2001::/32"], "denied"),
    ],
)
def test_the_operator_allows_networks_not_what_is_wrapped_in_them(
    text: str, allowed: list[str], verdict: str
) -> None:
    """Allowing NAT64 does not allow the metadata service behind it."""
    assert judge(ip_address(text), [ip_network(network) for network in allowed]) == verdict


def test_an_address_with_an_interface_is_read_without_it() -> None:
    """Getaddrinfo answers link-local addresses with their interface."""
    assert read_address("fe80::1%eth0") == ip_address("fe80::1")
