"""One keep-alive HTTP/1.1 connection, with as little in it as can be.

In: the bytes of a request. Out: the status of its answer.
Refuses answers without Content-Length. Full HTTP clients cost ten times the server they would measure.
"""

import asyncio
import base64
from collections.abc import Mapping
from typing import Final, Self, cast

_END_OF_HEADERS: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Wire(asyncio.Protocol):
    """A connection that sends one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[int] | None = None

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """An open connection. Raises OSError if nobody listens."""
        _, wire = await asyncio.get_running_loop().create_connection(cls, host, port)
        return wire

    def post(self, request: bytes) -> "asyncio.Future[int]":
        """Send the request; its status comes with the whole answer. ConnectionError if the line breaks."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._answer.set_exception(ConnectionError("the server closed the connection"))
        else:
            self._transport.write(request)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are Transports by what they do, not by what they inherit.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, mark, body = self._received.partition(_END_OF_HEADERS)
        if mark and len(body) >= _content_length(head):
            self._received = b""
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))


def request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of a POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + _END_OF_HEADERS + body


def basic(key: str) -> dict[str, str]:
    """The headers with which Segment's SDKs send JSON."""
    credential = base64.b64encode(f"{key}:".encode()).decode()
    return {"Authorization": f"Basic {credential}", "Content-Type": "application/json"}


def _content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(_LENGTH) + len(_LENGTH)
    return int(lower[start:].partition(b"\r\n")[0])
