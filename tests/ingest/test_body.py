"""Bodies: streamed under a cap, unpacked under another."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Iterable

import pytest
from starlette.requests import Request
from starlette.types import Message

from services.ingest.body import Body, Room, unpack
from services.ingest.limits import Limits
from shared.errors import Invalid, Transient

SMALL = Limits(body_bytes=1000, decompressed_bytes=5000, read_s=0.2)
JSON = b'{"event":"a"}'
ROOM = Room(1_000_000)


def request(chunks: Iterable[bytes], *headers: tuple[bytes, bytes], ends: bool = True) -> Request:
    """A request whose body comes in these chunks; `ends` False leaves it hanging after the last."""

    async def messages() -> AsyncIterator[Message]:
        for chunk in chunks:
            yield {"type": "http.request", "body": chunk, "more_body": True}
        if not ends:
            await asyncio.Event().wait()
        yield {"type": "http.request", "body": b"", "more_body": False}

    stream = messages()

    async def receive() -> Message:
        return await anext(stream)

    return Request({"type": "http", "method": "POST", "headers": list(headers)}, receive)


@pytest.mark.asyncio
async def test_chunks_become_one_body() -> None:
    """A body without Content-Length comes in chunks and is whole."""
    assert await Body(request([JSON[:5], JSON[5:]]), SMALL, ROOM).read() == JSON


@pytest.mark.asyncio
async def test_too_large_is_refused_while_it_streams() -> None:
    """Reading ends at the cap, and what came until then is kept for the rejected topic."""
    endless = (b"x" * 400 for _ in range(1_000_000))
    body = Body(request(endless), SMALL, ROOM)
    with pytest.raises(Invalid) as refused:
        await body.read()
    assert refused.value.code == "too_large"
    assert len(body.wire) == 1200


@pytest.mark.asyncio
async def test_slow_sender_is_refused() -> None:
    """A client that never finishes its body does not hold a place for ever."""
    with pytest.raises(Invalid) as refused:
        await Body(request([JSON], ends=False), SMALL, ROOM).read()
    assert refused.value.code == "slow_body"


@pytest.mark.asyncio
async def test_gzip_needs_no_header() -> None:
    """Gzip is seen by its first bytes, whatever the headers say."""
    assert await Body(request([gzip.compress(JSON)]), SMALL, ROOM).read() == JSON


@pytest.mark.asyncio
async def test_plain_body_with_a_gzip_header_passes() -> None:
    """A proxy that unpacked but left the header does no harm."""
    assert await Body(request([JSON], (b"content-encoding", b"gzip")), SMALL, ROOM).read() == JSON


def test_gzip_members_are_joined() -> None:
    """Several gzip members are one body, with padding after the last."""
    assert unpack(gzip.compress(b"[1,") + gzip.compress(b"2]") + b"\0" * 8, b"gzip", SMALL) == b"[1,2]"


@pytest.mark.parametrize(
    ("wire", "encoding", "code"),
    [
        pytest.param(gzip.compress(b"0" * 6000), b"gzip", "too_large", id="bomb"),
        pytest.param(gzip.compress(JSON)[:-9], b"gzip", "invalid_gzip", id="cut off"),
        pytest.param(b"\x1f\x8b" + JSON, b"gzip", "invalid_gzip", id="only the magic"),
        pytest.param(gzip.compress(JSON) + b"trailing", b"", "invalid_gzip", id="something behind it"),
        pytest.param(gzip.compress(b"") * 20, b"", "invalid_gzip", id="too many members"),
        pytest.param(zlib.compress(JSON), b"deflate", "unsupported_encoding", id="deflate"),
        pytest.param(b"\x0b\x02", b"br", "unsupported_encoding", id="brotli"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(wire: bytes, encoding: bytes, code: str) -> None:
    """Bombs, broken gzip and other encodings each have their code."""
    with pytest.raises(Invalid) as refused:
        unpack(wire, encoding, SMALL)
    assert refused.value.code == code


def test_suspicious_ratio_is_refused_below_the_cap() -> None:
    """What unpacks to 200 times its size is a bomb even if it stays under the cap."""
    wire = gzip.compress(b"0" * 3_000_000)
    with pytest.raises(Invalid, match="200 times"):
        unpack(wire, b"gzip", Limits())


def test_small_repetitive_batches_are_no_bombs() -> None:
    """Equal events pack a hundred times smaller; that is an honest batch."""
    body = b'{"type":"track"},' * 30_000
    assert unpack(gzip.compress(body), b"gzip", Limits()) == body


@pytest.mark.asyncio
async def test_many_bodies_at_once_have_a_bound() -> None:
    """Of all requests together, unpacked ones counted too; who is settled makes room for the next."""
    room = Room(1000)
    packed = gzip.compress(JSON * 60)
    first, second = (Body(request([packed]), SMALL, room) for _ in range(2))
    assert await first.read() == JSON * 60
    with pytest.raises(Transient, match="too much is being received at once"):
        await second.read()
    second.leave()
    first.leave()
    third = Body(request([packed]), SMALL, room)
    assert await third.read() == JSON * 60
    third.leave()
    third.leave()
    room.take(1000)
