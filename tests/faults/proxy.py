"""A TCP proxy that breaks lines as networks do: it goes silent, or cuts Postgres off in the middle of COMMIT.

In: the port of a server. Out: a port of its own that leads there. What it does to a line, a test says.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

_CHUNK: Final = 1 << 16
# The statement that moves a partition's offset, where asyncpg prepares it; afterwards it is called by name.
_MOVES: Final = re.compile(rb"(__asyncpg_stmt_\w+__)\x00\s*UPDATE partition_offsets held SET next_offset")
CUTS: Final = ("withheld", "sent", "answered")


@dataclass(slots=True, eq=False)
class Line:
    """One connection through the proxy.

    statements:  names under which this session knows the statement that moves offsets
    moves:       its transaction has moved an offset
    cut:         what is to become of it: the server's answer is not passed on
    """

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    statements: set[bytes] = field(default_factory=set)
    moves: bool = False
    cut: bool = False

    def close(self) -> None:
        for end in (self.client, self.server):
            end.transport.abort()


class Proxy:
    """Everything that comes to `port` goes to `target`, and back.

    silent:    nothing is passed on in either direction, and no line is closed: a black hole. What was sent
               meanwhile arrives when the line is back, as TCP sends again what nobody has confirmed
    cut_next:  how to cut the next COMMIT that moves an offset, one of CUTS: before the server has it, when it
               has it, or when it has answered; empty for not at all
    cuts:      how many were cut
    hold_next: keep the next BEGIN back until `release`; `held` is set when one is kept
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._up = asyncio.Event()
        self._up.set()
        self.cut_next = ""
        self.cuts = 0
        self.hold_next = False
        self.held = asyncio.Event()
        self._go_on = asyncio.Event()
        self._lines: set[Line] = set()
        self._server: asyncio.Server | None = None

    @property
    def silent(self) -> bool:
        return not self._up.is_set()

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent:
            self._up.clear()
        else:
            self._up.set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for line in list(self._lines):
            line.close()

    def release(self) -> None:
        """Pass on what is held."""
        self.held.clear()
        self._go_on.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        line = Line(client=writer, server=forth)
        self._lines.add(line)
        with suppress(OSError):
            await asyncio.gather(self._to_server(line, reader), self._to_client(line, back))
        line.close()
        self._lines.discard(line)

    async def _to_server(self, line: Line, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            self._note(line, data)
            await self._up.wait()
            if self.hold_next and b"BEGIN" in data:
                self.hold_next = False
                self._go_on.clear()
                self.held.set()
                await self._go_on.wait()
            if self.cut_next and line.moves and b"COMMIT" in data:
                await self._cut(line, data)
                continue
            line.server.write(data)
            await line.server.drain()
        line.close()

    async def _to_client(self, line: Line, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            if line.cut:
                break
            await self._up.wait()
            line.client.write(data)
            await line.client.drain()
        line.close()

    async def _cut(self, line: Line, data: bytes) -> None:
        how, self.cut_next, line.cut = self.cut_next, "", True
        if how != "withheld":
            line.server.write(data)
            await line.server.drain()
        if how != "answered":
            line.close()
        self.cuts += 1

    def _note(self, line: Line, data: bytes) -> None:
        """Whether this session's transaction moves an offset."""
        line.statements |= set(_MOVES.findall(data))
        if b"BEGIN" in data:
            line.moves = False
        line.moves |= any(name in data for name in line.statements)
