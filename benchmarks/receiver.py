"""A webhook receiver on loopback that notes when what came.

In: posts. Out: 200, and for each post the time (time.perf_counter) and the body.
Refuses nothing; it answers before it parses, as a good receiver does.
"""

import asyncio
import time
from typing import Final, cast

_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
_END_OF_HEADERS: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Receiver:
    """A running receiver; `hits` grows while it runs."""

    def __init__(self) -> None:
        self.hits: list[tuple[float, bytes]] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen on a free port and return it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Post(self.hits), "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()


class _Post(asyncio.Protocol):
    """One connection."""

    def __init__(self, hits: list[tuple[float, bytes]]) -> None:
        self._hits = hits
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are Transports by what they do, not by what they inherit.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, mark, body = self._received.partition(_END_OF_HEADERS)
        if not mark:
            return
        lower = head.lower()
        length = int(lower[lower.index(_LENGTH) + len(_LENGTH) :].partition(b"\r\n")[0])
        if len(body) >= length:
            self._hits.append((time.perf_counter(), body[:length]))
            self._received = body[length:]
            assert self._transport is not None
            self._transport.write(_ANSWER)
