"""Connections to the outside: what is judged, when, and what the other side sees."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.router.addresses import Address, read_address
from services.router.outbound import Denied, Limits, SystemResolver, client, vet
from tests.router.receiver import Receiver

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class NameServer:
    """Answers with the next list of addresses for each question; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [read_address(text) for text in answer]

    def close(self) -> None:
        self.asked.append("closed")


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that any socket of this process was asked to connect to."""
    asked: list[Any] = []
    loop = asyncio.selector_events.BaseSelectorEventLoop
    original = loop.sock_connect

    async def noting(self: Any, sock: socket.socket, address: Any) -> Any:
        asked.append(address)
        return await original(self, sock, address)

    monkeypatch.setattr(loop, "sock_connect", noting)
    return asked


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "10.0.0.1",
        "0.0.0.0",
    ],
)
@pytest.mark.asyncio
async def test_no_socket_ever_connects_to_a_denied_address(host: str, connects: list[Any]) -> None:
    """However the address is written, the real resolver's answer is judged before a connection."""
    async with client(Limits(connect_s=5), SystemResolver()) as outside:
        with pytest.raises((Denied, httpx.ConnectError, httpx.InvalidURL)):
            await outside.post(f"https://{host}/")
    assert connects == []


@pytest.mark.asyncio
async def test_the_socket_hook_sees_connections_that_are_allowed(
    receiver: Receiver, connects: list[Any]
) -> None:
    """The proof above is worth something: an allowed connection does show."""
    async with client(Limits(connect_s=5, allowed=LOOPBACK, plain=True), SystemResolver()) as outside:
        assert (await outside.post(receiver.url)).status_code == 200
    assert [address[0] for address in connects] == ["127.0.0.1"]


@pytest.mark.asyncio
async def test_one_denied_answer_refuses_the_name(connects: list[Any]) -> None:
    """A name with a public and a private address is a trap, whichever comes first."""
    async with client(Limits(connect_s=5), NameServer(["93.184.215.14", "169.254.169.254"])) as outside:
        with pytest.raises(Denied, match=r"169\.254\.169\.254 .* allow_networks"):
            await outside.post("https://crm.example.com/")
    assert connects == []


@pytest.mark.asyncio
async def test_a_name_that_changes_is_judged_at_each_connection(receiver: Receiver) -> None:
    """DNS rebinding: the second connection's address is judged again, and each is asked for once."""
    names = NameServer(["127.0.0.1"], ["10.0.0.1"])
    url = receiver.url.replace("127.0.0.1", "crm.example.com")
    async with client(Limits(connect_s=5, allowed=LOOPBACK, plain=True), names) as outside:
        await outside.post(url, headers={"connection": "close"})
        with pytest.raises(Denied):
            await outside.post(url)
    assert names.asked == ["crm.example.com", "crm.example.com", "closed"]


@pytest.mark.asyncio
async def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    """A name with several addresses survives the loss of one."""
    url = receiver.url.replace("127.0.0.1", "crm.example.com")
    names = NameServer(["127.0.0.2", "127.0.0.1"])
    async with client(Limits(connect_s=5, allowed=LOOPBACK, plain=True), names) as outside:
        assert (await outside.post(url)).status_code == 200
    assert receiver.got[0].headers["host"].startswith("crm.example.com:")


@pytest.mark.parametrize(
    ("address", "port", "limits", "fine"),
    [
        ("93.184.215.14", 443, Limits(connect_s=1), True),
        ("93.184.215.14", 8443, Limits(connect_s=1), True),
        ("93.184.215.14", 22, Limits(connect_s=1), False),
        ("93.184.215.14", 80, Limits(connect_s=1, plain=True, allowed=LOOPBACK), False),
        ("127.0.0.1", 9000, Limits(connect_s=1, allowed=LOOPBACK), True),
        ("127.0.0.1", 9000, Limits(connect_s=1, allowed=LOOPBACK, plain=True), True),
        ("10.0.0.1", 443, Limits(connect_s=1, allowed=LOOPBACK), False),
    ],
)
def test_ports_and_plain_http_are_for_allowed_networks(
    address: str, port: int, limits: Limits, *, fine: bool
) -> None:
    """The public is reached with TLS on 443 and 8443 only; what the operator names, on any port."""
    if fine:
        vet(read_address(address), port, limits)
        return
    with pytest.raises(Denied):
        vet(read_address(address), port, limits)


@pytest.mark.asyncio
async def test_a_proxy_in_the_environment_is_ignored(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would connect on our behalf, past every judgement."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with client(Limits(connect_s=5, allowed=LOOPBACK, plain=True), SystemResolver()) as outside:
        assert (await outside.post(receiver.url)).status_code == 200


@pytest.mark.asyncio
async def test_a_connection_that_does_not_come_ends_in_time() -> None:
    """A name server that never answers costs the connect timeout and not more."""

    class Silent(NameServer):
        async def addresses(self, host: str, port: int) -> Sequence[Address]:
            await asyncio.Event().wait()
            return []

    async with client(Limits(connect_s=0.05), Silent([])) as outside:
        with pytest.raises(httpx.ConnectTimeout):
            await outside.post("https://crm.example.com/")


def certificate(folder: Path, *, name: str, days: int) -> Path:
    """A self-signed certificate with its key, valid until so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@asynccontextmanager
async def tls_server(file: Path) -> AsyncIterator[tuple[int, list[Any]]]:
    """A TLS server on 127.0.0.1: its port, and the names and requests it saw."""
    seen: list[Any] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


@pytest.mark.asyncio
async def test_tls_and_host_use_the_name_while_the_connection_uses_the_judged_address(
    tmp_path: Path,
) -> None:
    """SNI, certificate check and Host header are those of the URL."""
    file = certificate(tmp_path, name="crm.example.com", days=1)
    limits = Limits(connect_s=5, allowed=LOOPBACK, ca_file=file)
    async with tls_server(file) as (port, seen), client(limits, NameServer(["127.0.0.1"])) as outside:
        answer = await outside.post(f"https://crm.example.com:{port}/hook")
    assert answer.status_code == 204
    assert seen[0] == "crm.example.com"
    assert f"Host: crm.example.com:{port}\r\n".encode() in seen[1]


@pytest.mark.parametrize(
    ("name", "days", "trusted"),
    [("crm.example.com", 1, False), ("other.example.com", 1, True), ("crm.example.com", -1, True)],
)
@pytest.mark.asyncio
async def test_a_certificate_that_does_not_prove_the_name_is_refused(
    tmp_path: Path, name: str, days: int, *, trusted: bool
) -> None:
    """Unknown issuer, another name, expired: nothing is sent."""
    file = certificate(tmp_path, name=name, days=days)
    limits = Limits(connect_s=5, allowed=LOOPBACK, ca_file=file if trusted else None)
    async with tls_server(file) as (port, seen), client(limits, NameServer(["127.0.0.1"])) as outside:
        with pytest.raises(httpx.ConnectError):
            await outside.post(f"https://crm.example.com:{port}/hook")
    assert not any(isinstance(one, bytes) for one in seen)
