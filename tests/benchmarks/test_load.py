"""The load generator: what it sends, and what it makes of the answers."""

import asyncio

import msgspec
import pytest

from benchmarks.load import Spec, load, quantile

SPEC = Spec(port=0, key="a-key-of-the-tests", connections=3, seconds=0.3, events=1)


class Server(asyncio.Protocol):
    """Answers every request that ends with its body in two pieces, as networks may."""

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"

    def __init__(self, seen: list[bytes]) -> None:
        self._seen = seen
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, mark, body = self._received.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)
        if mark and len(body) == length:
            self._seen.append(self._received)
            self._received = b""
            self._transport.write(self.answer[:-2])
            asyncio.get_running_loop().call_later(0.005, self._transport.write, self.answer[-2:])


class Refusing(Server):
    """Answers 503."""

    answer = Server.answer.replace(b"200 OK", b"503 No")


async def _load(server: type[Server], spec: Spec) -> tuple[dict[str, float], list[bytes]]:
    seen: list[bytes] = []
    listening = await asyncio.get_running_loop().create_server(lambda: server(seen), "127.0.0.1", 0)
    async with listening:
        done = await load(msgspec.structs.replace(spec, port=listening.sockets[0].getsockname()[1]))
    return msgspec.to_builtins(done), seen


@pytest.mark.asyncio
async def test_every_answer_is_counted() -> None:
    """As many requests are counted as the server saw, each a whole POST with the key."""
    done, seen = await _load(Server, SPEC)
    assert done["requests"] == len(seen) > 3
    assert done["errors"] == 0
    assert all(each.startswith(b"POST /v1/page HTTP/1.1\r\n") for each in seen)
    assert all(b"\r\nAuthorization: Basic " in each for each in seen)


@pytest.mark.asyncio
async def test_errors_are_no_throughput() -> None:
    """What is not answered with 200 counts as an error, and not as events."""
    done, seen = await _load(Refusing, SPEC)
    assert done["errors"] == len(seen) > 0
    assert done["events_per_s"] == 0


@pytest.mark.asyncio
async def test_a_rate_is_not_exceeded() -> None:
    """At a rate, as many requests are sent as are due, however fast the server is."""
    done, seen = await _load(Server, msgspec.structs.replace(SPEC, rate=40.0))
    assert len(seen) == done["requests"] == 12


@pytest.mark.asyncio
async def test_batches_hold_as_many_events_as_asked_for() -> None:
    """Batches go to the batch endpoint, each with ten events."""
    _, seen = await _load(Server, msgspec.structs.replace(SPEC, events=10))
    assert all(each.startswith(b"POST /v1/batch ") for each in seen)
    assert {each.count(b'"messageId"') for each in seen} == {10}


def test_quantiles_are_values_that_were_measured() -> None:
    """Nearest rank: p50 of 1..100 is 50, p99 is 99; of one value it is that; of none it is 0."""
    values = [float(each) for each in range(100, 0, -1)]
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.99) == 99
    assert quantile([7.0], 0.99) == 7
    assert quantile([], 0.5) == 0
