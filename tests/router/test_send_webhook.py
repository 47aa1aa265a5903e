"""One attempt at a webhook, against a receiver that behaves in every way a receiver can."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

import pytest

from services.router.addresses import Network
from services.router.outbound import Limits, SystemResolver, client
from services.router.queue import Delivery
from services.router.retry import Delivered, Failed, Outcome
from services.router.send_webhook import MAX_REPLY_BYTES, Webhook, judge
from services.router.sign import read_secret
from shared.clock import SystemClock
from shared.ids import DeliveryId, LeadId
from tests.router.receiver import OLD_SECRET, SECRET, Receiver, status
from tests.router.situations import AT
from tests.router.test_outbound import certificate, tls_server

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"),)
DELIVERY = Delivery(
    delivery_id=DeliveryId(UUID(int=3)),
    destination="crm",
    lead_id=LeadId(UUID(int=7)),
    sequence=1,
    body=b'{"type":"lead.stage_changed"}',
    attempt=1,
    claim=UUID(int=4),
    event_received_at=None,
)


@asynccontextmanager
async def webhook(
    url: str,
    *,
    request_s: float = 5,
    allowed: tuple[Network, ...] = LOOPBACK,
    keys: tuple[str, ...] = (SECRET,),
) -> AsyncIterator[Webhook]:
    limits = Limits(connect_s=5, allowed=allowed, plain=url.startswith("http:"))
    one = Webhook(
        client=client(limits, SystemResolver()),
        url=url,
        keys=tuple(read_secret(key) for key in keys),
        request_s=request_s,
        clock=SystemClock(),
    )
    try:
        yield one
    finally:
        await one.stop()


async def outcome(url: str, *, request_s: float = 5, allowed: tuple[Network, ...] = LOOPBACK) -> Outcome:
    async with webhook(url, request_s=request_s, allowed=allowed) as one:
        return await one.send(DELIVERY)


@asynccontextmanager
async def raw_server(
    behave: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server that reads a request and then does something that no framework would."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await behave(writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.asyncio
async def test_a_2xx_is_delivered_and_the_request_verifies(receiver: Receiver) -> None:
    """The receiver gets the stored bytes, signed, with the delivery's id."""
    assert await outcome(receiver.url) == Delivered(status=200)
    (got,) = receiver.got
    got.verified()
    assert (got.id, got.body) == (str(DELIVERY.delivery_id), DELIVERY.body)
    assert got.headers["content-type"] == "application/json"


@pytest.mark.asyncio
async def test_a_secret_can_change_mid_stream(receiver: Receiver) -> None:
    """Before, during and after a rotation every request verifies under the old secret or the new one."""
    for keys, known in (
        ((OLD_SECRET,), [OLD_SECRET]),
        ((SECRET, OLD_SECRET), [OLD_SECRET, SECRET]),
        ((SECRET,), [SECRET]),
    ):
        async with webhook(receiver.url, keys=keys) as one:
            await one.send(DELIVERY)
        for secret in known:
            receiver.got[-1].verified(secret)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (301, "redirect"),
        (307, "redirect"),
        (304, "redirect"),
        (400, "client_error"),
        (401, "client_error"),
        (404, "client_error"),
        (410, "gone"),
        (422, "client_error"),
        (429, "throttled"),
        (500, "server_error"),
        (502, "throttled"),
        (503, "throttled"),
        (504, "throttled"),
    ],
)
@pytest.mark.asyncio
async def test_every_other_status_is_a_failure_with_a_reason(
    receiver: Receiver, code: int, reason: str
) -> None:
    """Only 2xx counts, and each failure has a name from a closed set."""
    receiver.answers = [status(code)]
    failed = await outcome(receiver.url)
    assert isinstance(failed, Failed)
    assert (failed.status, failed.reason) == (code, reason)


@pytest.mark.asyncio
async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    """It could lead to a place that nobody allowed."""
    receiver.answers = [status(301, location=receiver.url + "/other")]
    await outcome(receiver.url)
    assert [got.path for got in receiver.got] == ["/hook"]


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("120", 120),
        ("0", 0),
        (format_datetime(AT + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(AT - timedelta(hours=1), usegmt=True), 0),
        ("Sun, 01 Mar 2026 09:31:30 -0000", 90),
        ("99999999999999999999", 999_999_999),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, expected_s: float | None) -> None:
    """Both forms of RFC 9110; nonsense counts as none."""
    failed = judge(429, {"retry-after": value}, b"", AT)
    assert isinstance(failed, Failed)
    assert failed.retry_after_s == expected_s


@pytest.mark.asyncio
async def test_a_slow_receiver_costs_the_deadline(receiver: Receiver) -> None:
    """No answer within the deadline is a timeout, and the connection is given up."""
    receiver.hold = asyncio.Event()
    failed = await outcome(receiver.url, request_s=0.1)
    assert isinstance(failed, Failed)
    assert failed.reason == "timeout"


@pytest.mark.asyncio
async def test_a_reply_that_drips_costs_the_deadline_too() -> None:
    """A byte now and then keeps no request alive: the deadline is for the whole."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with raw_server(drip) as url:
        failed = await outcome(url, request_s=0.2)
    assert isinstance(failed, Failed)
    assert failed.reason == "timeout"


@pytest.mark.asyncio
async def test_of_a_huge_reply_only_the_beginning_is_read() -> None:
    """A reply of a gigabyte counts by its status, and most of it never leaves the receiver."""
    sent_bytes = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while sent_bytes < 1_000_000_000:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent_bytes += 65_536

    async with raw_server(flood) as url:
        assert await outcome(url) == Delivered(status=200)
    assert sent_bytes < 50_000_000


@pytest.mark.asyncio
async def test_a_compressed_reply_stays_compressed(receiver: Receiver) -> None:
    """Whatever its header says, a small reply cannot become a large one."""
    receiver.answers = [status(500, "not gzip at all", content_encoding="gzip")]
    failed = await outcome(receiver.url)
    assert isinstance(failed, Failed)
    assert failed.detail == "not gzip at all"


def test_the_kept_reply_is_short_and_has_no_control_characters() -> None:
    """It is shown on an operator's terminal."""
    failed = judge(500, {}, b"no\x1b[31m\r\nway\x00" + b"x" * MAX_REPLY_BYTES, AT)
    assert isinstance(failed, Failed)
    assert failed.detail.startswith("no [31m  way x")
    assert len(failed.detail) <= 1000


async def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _not_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()


async def _half(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
    await writer.drain()


@pytest.mark.parametrize("behave", [_reset, _not_http, _half])
@pytest.mark.asyncio
async def test_a_broken_reply_is_a_failure(
    behave: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> None:
    """Reset, not HTTP, cut off in the middle: the receiver may or may not have it, so it is sent again."""
    async with raw_server(behave) as url:
        failed = await outcome(url)
    assert isinstance(failed, Failed)
    assert failed.reason == "broken_reply"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/", "connect"),
        ("https://no-such-host.invalid/", "dns"),
        ("https://169.254.169.254/", "denied_address"),
        ("https://127.0.0.1:1/", "connect"),
    ],
)
@pytest.mark.asyncio
async def test_where_no_connection_comes_about_the_reason_says_why(url: str, reason: str) -> None:
    """Refused, unknown and denied are different things for an operator."""
    failed = await outcome(url)
    assert isinstance(failed, Failed)
    assert failed.reason == reason


@pytest.mark.asyncio
async def test_an_untrusted_certificate_is_called_tls(tmp_path: Path) -> None:
    """An operator looks for the certificate and not for the network."""
    async with tls_server(certificate(tmp_path, name="127.0.0.1", days=1)) as (port, _):
        failed = await outcome(f"https://127.0.0.1:{port}/")
    assert isinstance(failed, Failed)
    assert failed.reason == "tls"
    assert failed.detail.startswith("self-signed certificate. In routing.yaml, ca_file names the CA")


def test_the_clock_of_a_signature_is_the_clock_of_the_attempt() -> None:
    """A date in Retry-After counts from the attempt, in any zone."""
    later = datetime(2026, 3, 1, 9, 31, tzinfo=UTC)
    failed = judge(503, {"retry-after": format_datetime(later)}, b"", AT)
    assert isinstance(failed, Failed)
    assert failed.retry_after_s == 60
