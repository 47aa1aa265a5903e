"""HTTP to the outside, without letting a URL choose what we connect to.

In: what the operator allows, deadlines. Out: an httpx client for one destination.
Refuses, when the connection is made and not when the URL is read (a name can change its address in between):
addresses that are neither public nor allowed, public ports other than 443 and 8443, plain http to the public.
It follows no redirect, reads no proxy or netrc from the environment, and keeps no cookies.

The name is resolved once per connection, every answer is judged, and the connection goes to exactly the
address that was judged; TLS and the Host header still use the name.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpcore
import httpx

from services.router.addresses import Address, Network, judge, read_address
from shared.errors import LeadscoreError

PUBLIC_PORTS: Final = (443, 8443)

_USER_AGENT: Final = "leadscore-router"


class Denied(LeadscoreError):
    """The destination leads where we do not connect to. An operator can allow its network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a destination may cost and reach.

    allowed:    networks that are reachable beside the public internet
    plain:      http without TLS, to allowed networks only
    ca_file:    certificates to trust beside the public ones, None for only those
    in_flight:  connections at most
    """

    connect_s: float
    allowed: tuple[Network, ...] = ()
    plain: bool = False
    ca_file: Path | None = None
    in_flight: int = 8


class Resolver(Protocol):
    """Finds addresses: the system's resolver, or a test's name server."""

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Every address of a host; raises OSError if there is none."""

    def close(self) -> None:
        """Let go of threads."""


class SystemResolver:
    """The system's resolver, in threads of its own.

    One slow name server must not take the threads that other destinations resolve with.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="resolve")

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [read_address(str(answer[4][0])) for answer in answers]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def client(limits: Limits, resolver: Resolver) -> httpx.AsyncClient:
    """A client for one destination. Its caller sets the deadline of the whole request.

    Raises FileNotFoundError or ssl.SSLError for a `ca_file` that is not there or not one.
    """
    return httpx.AsyncClient(
        transport=_Transport(limits, resolver),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=limits.connect_s),
        headers={"user-agent": _USER_AGENT, "accept-encoding": "identity"},
    )


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own transport over a pool that connects through us (httpx offers no argument for that)."""

    def __init__(self, limits: Limits, resolver: Resolver) -> None:
        self._resolver = resolver
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(limits.ca_file),
            max_connections=limits.in_flight,
            max_keepalive_connections=limits.in_flight,
            # Shorter than common servers' idle limit, so that we seldom write into a closing connection.
            keepalive_expiry=4.0,
            network_backend=_Vetted(limits, resolver),
        )

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await super().aclose()
        self._resolver.close()


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


class _Vetted(httpcore.AsyncNetworkBackend):
    """Resolves, judges every answer, connects to what was judged."""

    def __init__(self, limits: Limits, resolver: Resolver) -> None:
        self._limits = limits
        self._resolver = resolver
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,  # noqa: ARG002 - the pool never sets it
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolved(host, port)
                for address in addresses:
                    vet(address, port, self._limits)
                return await self._first(addresses, port, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("no connection in time") from error

    async def _resolved(self, host: str, port: int) -> Sequence[Address]:
        try:
            return await self._resolver.addresses(host, port)
        except (OSError, UnicodeError, ValueError) as error:
            raise httpcore.ConnectError("the name has no address") from error

    async def _first(
        self,
        addresses: Sequence[Address],
        port: int,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that takes one."""
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in dict.fromkeys(addresses):
            try:
                return await self._network.connect_tcp(str(address), port, socket_options=socket_options)
            except httpcore.ConnectError as error:
                failure = error
        raise failure


def vet(address: Address, port: int, limits: Limits) -> None:
    """Raise Denied unless we may connect there; the message names the rule and the remedy."""
    verdict = judge(address, limits.allowed)
    if verdict == "denied":
        raise Denied(f"{address} is not a public address. If it is meant, name its network in allow_networks")
    if verdict == "public" and limits.plain:
        raise Denied(f"http without TLS to the public address {address}. Use https")
    if verdict == "public" and port not in PUBLIC_PORTS:
        raise Denied(f"port {port} of a public address. Use 443 or 8443, or name it in allow_networks")
