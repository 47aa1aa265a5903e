"""A request's body: streamed under a cap, then unpacked under another.

In: a request. Out: the body as the client meant it, as bytes.
Refuses what is larger than the limits (before it is in memory), gzip bombs, broken gzip, other
encodings, clients that take for ever to send, and (`Transient`) more than there is room for at the moment.

Content-Length is not asked: some clients send none. Nor is Content-Encoding trusted to say "gzip": some
browsers' SDKs gzip without it, and some proxies unpack without removing it; the first two bytes do not lie.
"""

import asyncio
import zlib
from typing import Final

from starlette.requests import Request

from services.ingest.limits import Limits
from shared.errors import Invalid, Transient

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31
_MAX_MEMBERS: Final = 16
_MAX_RATIO: Final = 200
# A batch of equal small events packs well; only past this size is a high ratio suspicious.
_RATIO_FROM_BYTES: Final = 1024 * 1024
_KNOWN_ENCODINGS: Final = frozenset({b"", b"identity", b"gzip", b"x-gzip"})


class Room:
    """How many bytes of bodies may be in memory at the same time, of all requests together.

    Without it, as many of the largest as may be in flight would be more memory than there is: anybody can
    send one, and small gzip becomes large.
    """

    def __init__(self, size_bytes: int) -> None:
        self._free = size_bytes

    def take(self, size_bytes: int) -> None:
        """Take so much. Raises Transient if there is less."""
        if size_bytes > self._free:
            raise Transient("too much is being received at once. Send again in a moment.")
        self._free -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        """That much is no longer held."""
        self._free += size_bytes


class Body:
    """One request's body while it is read.

    wire: what has come so far, also when reading ends in a refusal: a rejected request is kept
    """

    def __init__(self, request: Request, limits: Limits, room: Room) -> None:
        self._request = request
        self._limits = limits
        self._room = room
        self._taken_bytes = 0
        self.wire = b""

    async def read(self) -> bytes:
        """The unpacked body.

        Raises Invalid `too_large`, `slow_body`, `invalid_gzip`, `unsupported_encoding`; Transient if there is
        no room for it.
        """
        try:
            async with asyncio.timeout(self._limits.read_s):
                await self._collect()
        except TimeoutError as error:
            raise Invalid(
                "slow_body", f"the body was not complete after {self._limits.read_s:g} s. Send it faster"
            ) from error
        unpacked = unpack(self.wire, self._encoding(), self._limits)
        if unpacked is not self.wire:
            self._take(len(unpacked))
        return unpacked

    def leave(self) -> None:
        """Make room for others: this request is settled."""
        self._room.give_back(self._taken_bytes)
        self._taken_bytes = 0

    def _take(self, size_bytes: int) -> None:
        self._room.take(size_bytes)
        self._taken_bytes += size_bytes

    async def _collect(self) -> None:
        """Append chunks until the end or the cap; uvicorn discards what a client sends after our answer."""
        chunks: list[bytes] = []
        size_bytes = 0
        try:
            async for chunk in self._request.stream():
                self._take(len(chunk))
                chunks.append(chunk)
                size_bytes += len(chunk)
                if size_bytes > self._limits.body_bytes:
                    raise _too_large(self._limits.body_bytes)
        finally:
            self.wire = b"".join(chunks)

    def _encoding(self) -> bytes:
        for name, value in self._request.scope["headers"]:
            if name == b"content-encoding":
                return bytes(value).strip().lower()
        return b""


def unpack(wire: bytes, encoding: bytes, limits: Limits) -> bytes:
    """The body without its gzip, if it has one.

        wire:      as it came
        encoding:  the Content-Encoding header, lower case, empty if there is none

    Raises Invalid `unsupported_encoding`, `invalid_gzip`, `too_large`.
    """
    if wire.startswith(_GZIP_MAGIC):
        return _gunzip(wire, limits)
    if encoding not in _KNOWN_ENCODINGS:
        raise Invalid("unsupported_encoding", "the Content-Encoding is not known here. Use gzip, or none")
    return wire


def _gunzip(wire: bytes, limits: Limits) -> bytes:
    """Unpack all members; never holds more than the cap and one byte."""
    unpacked = b""
    rest = wire
    try:
        for _ in range(_MAX_MEMBERS):
            member = zlib.decompressobj(_GZIP_WINDOW)
            unpacked += member.decompress(rest, limits.decompressed_bytes + 1 - len(unpacked))
            _check_size(unpacked, wire, limits)
            if not member.eof:
                raise Invalid("invalid_gzip", "the gzip body ends too early. Send it whole")
            # Zeros after the last member are padding by RFC 1952's reference implementation.
            rest = member.unused_data.lstrip(b"\0")
            if not rest:
                return unpacked
    except zlib.error as error:
        raise Invalid(
            "invalid_gzip", "the body starts like gzip but is not. Send gzip or plain JSON"
        ) from error
    raise Invalid("invalid_gzip", f"the body has more than {_MAX_MEMBERS} gzip members. Send one")


def _check_size(unpacked: bytes, wire: bytes, limits: Limits) -> None:
    if len(unpacked) > limits.decompressed_bytes:
        raise _too_large(limits.decompressed_bytes)
    if len(unpacked) > _RATIO_FROM_BYTES and len(unpacked) > _MAX_RATIO * len(wire):
        raise Invalid(
            "too_large", f"the body unpacks to more than {_MAX_RATIO} times its size. Send less at once"
        )


def _too_large(cap_bytes: int) -> Invalid:
    return Invalid("too_large", f"the body is larger than {cap_bytes} bytes. Send smaller batches")
