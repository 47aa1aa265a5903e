"""Keep processes running: start, relay their output, restart with patience, give up in time.

In: parts that start, end by themselves sometimes, and stop. Out: parts that run, or `Died`.
Refuses to restart what said that its configuration is wrong, and what dies again and again.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Never, Protocol, TypeVar

import httpx

from services.cli.local.process import Child, Command
from shared.errors import LeadscoreError

_MISCONFIGURED: Final = 2  # the exit code of our services for it
_WINDOW_S: Final = 60.0
_RESTARTS: Final = 5
_LONGEST_LINE: Final = 1 << 20
_COLOURS: Final = ("36", "33", "35", "32", "34")

Say = Callable[[str], None]
Patience = Callable[[Sequence[float], float], float | None]
Result = TypeVar("Result")


class Died(LeadscoreError):
    """A part ended and was not, or not any more, restarted."""


class Part(Protocol):
    """What can be kept running."""

    name: str

    async def start(self) -> object:
        """Return when it runs."""

    async def wait(self) -> int:
        """Return its exit code when it ends."""

    async def stop(self) -> None:
        """Return when nothing of it is left."""


def pause_s(deaths: Sequence[float], now: float) -> float | None:
    """Seconds to wait before the next restart; None to give up.

    deaths:  when it ended, the latest last, in seconds on the clock of `now`
    """
    recent = [death for death in deaths if now - death < _WINDOW_S]
    if len(recent) > _RESTARTS:
        return None
    return 0.25 * 2.0 ** (len(recent) - 1)


async def keep(part: Part, say: Say, patience: Patience = pause_s) -> Never:
    """Restart the part whenever it ends.

    patience:  how long to wait after these deaths, and when to give up

    Raises Died if it says that its configuration is wrong, or ends more than five times in a minute.
    """
    deaths: list[float] = []
    while True:
        code = await part.wait()
        deaths.append(time.monotonic())
        pause = patience(deaths, deaths[-1])
        if code == _MISCONFIGURED:
            raise Died(f"{part.name} does not start: its configuration is wrong, see its lines above.")
        if pause is None:
            raise Died(
                f"{part.name} ended {_RESTARTS + 1} times in a minute, last with {_how(code)}; see above."
            )
        say(f"{part.name} ended ({_how(code)}); starting it again in {pause:g} s")
        await asyncio.sleep(pause)
        await part.start()


async def together(*tasks: Coroutine[Any, Any, Result]) -> list[Result]:
    """Run them at the same time; the first to fail ends the others, and its error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            started = [group.create_task(task) for task in tasks]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result() for task in started]


class Service:
    """A process of ours whose output goes to the terminal, each line with its name before it."""

    def __init__(self, command: Command, relay: Say) -> None:
        self.name = command.name
        self._child = Child(command)
        self._relay = relay
        self._relaying: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid

    async def start(self) -> None:
        if self._child.running:
            return
        await self._end_of_output()
        read, write = os.pipe()
        try:
            await self._child.start(write)
        finally:
            os.close(write)
        self._relaying = asyncio.create_task(_relay(read, self._relay))

    async def wait(self) -> int:
        """Return its exit code when it ends and its last line is out."""
        code = await self._child.wait()
        await self._end_of_output()
        return code

    async def stop(self) -> None:
        await self._child.stop()
        await self._end_of_output()

    async def _end_of_output(self) -> None:
        if self._relaying is not None:
            await asyncio.shield(self._relaying)


async def ready(url: str, limit_s: float) -> str:
    """Wait for a 200 from this `/readyz`; return what it last said if none comes within the limit."""
    deadline = time.monotonic() + limit_s
    said = "nothing"
    # trust_env: a proxy of the environment does not know our loopback.
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline:
            try:
                answer = await client.get(url)
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                if answer.is_success:
                    return ""
                said = answer.text
            await asyncio.sleep(0.05)
    return said


def prefixed(name: str, number: int) -> Say:
    """A way to print a line of this part: its name before it, in a colour of its own on a terminal."""
    head = f"{name:8} | "
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        head = f"\033[{_COLOURS[number % len(_COLOURS)]}m{head}\033[0m"
    return lambda line: print(head + line, flush=True)


async def _relay(read: int, say: Say) -> None:
    """Hand on each line until the pipe closes; a line too long to be one is left out."""
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb")
    )
    try:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                continue
            if not line:
                return
            say(line.decode(errors="replace").rstrip())
    finally:
        transport.close()


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
