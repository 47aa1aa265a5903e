"""Start in order, stop in reverse, and never live on half dead.

In: parts (things with `start` and `stop`). Out: a process that runs until a signal or until a part dies.
Refuses to hide a dead background task: it stops the process with that error, so that the
supervisor restarts something whole.

Stopping twice, or before start, is legal for every part: shutdown code must not need to know how far
start got.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from shared.errors import Misconfigured
from shared.telemetry import log


class Part(Protocol):
    """Something with a beginning and an end."""

    name: str

    async def start(self) -> None:
        """Return when usable; raise if it cannot become so."""

    async def stop(self) -> None:
        """Return when nothing of it is left; legal twice and before start."""


class BackgroundTask:
    """A coroutine that is meant to run for the whole life of the process.

    run:     returns only when cancelled, or raises
    stop_s:  seconds it gets to react to cancellation
    """

    def __init__(self, name: str, run: Callable[[], Awaitable[None]], *, stop_s: float = 10.0) -> None:
        self.name = name
        self._run = run
        self._stop_s = stop_s
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self._body(), name=self.name)

    async def stop(self) -> None:
        if self.task is None or self.task.done():
            return
        self.task.cancel()
        await asyncio.wait({self.task}, timeout=self._stop_s)

    async def _body(self) -> None:
        await self._run()


class Drain:
    """Something that only has an end: close a pool, wait for what is in flight."""

    def __init__(self, name: str, close: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._close = close

    async def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        await self._close()


class HttpServer:
    """An ASGI app on a port: one uvicorn worker, because metrics of several would each tell a part.

    port 0 takes a free one; `address` says which. Starting raises Misconfigured where it cannot listen.
    proxies: addresses and networks, by comma, whose X-Forwarded-For and -Proto say who asked, and how
    """

    def __init__(  # noqa: PLR0913 - what a server is
        self,
        name: str,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        drain_s: float = 5.0,
        proxies: str = "",
    ) -> None:
        self.name = name
        self._host = host
        self._port = port
        self._server = _QuietServer(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(drain_s)),
                timeout_keep_alive=30,
                lifespan="off",
                forwarded_allow_ips=proxies,
            )
        )
        self._socket: socket.socket | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """host:port it listens on, empty before start."""
        return "{}:{}".format(*self._socket.getsockname()[:2]) if self._socket else ""

    async def start(self) -> None:
        self._socket = self._listening()
        # Inherited by what it accepts. asyncio sets it for sockets of protocol 6 only, and this one says 0:
        # uvicorn's second write then waits 40 ms for the client's delayed ACK of the first (measured: 575/s
        # instead of 2,000/s over 32 connections).
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name=self.name)
        while not self._server.started and not self.task.done():  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        if self.task.done():
            self.task.result()

    def _listening(self) -> socket.socket:
        try:
            return socket.create_server((self._host, self._port), backlog=2048)
        except OSError as error:
            why = (error.strerror or f"{error}").partition(" (while")[0]
            raise Misconfigured(
                f"The {self.name} port {self._host}:{self._port} cannot be opened: {why}.",
                ["Stop what listens there, or set another …_HOST or …_PORT (reference.env names them)."],
            ) from error

    async def stop(self) -> None:
        self._server.should_exit = True
        if self.task is not None:
            await asyncio.wait({self.task}, timeout=15)
        if self._socket is not None:
            self._socket.close()


class _QuietServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the lifecycle decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(parts: Sequence[Part], *, stopping: asyncio.Event | None = None) -> None:
    """Run the parts until SIGTERM, SIGINT, `stopping` or the death of one.

        stopping: set from outside to stop (tests); also set by us when a signal comes, so that
                  readiness can turn to 503 while parts still drain

    Raises what the dead part raised, after everything is stopped.
    """
    stopping = stopping or asyncio.Event()
    started: list[Part] = []
    with _signals_set(stopping):
        try:
            for part in parts:
                started.append(part)
                await part.start()
            await _until_stopped(started, stopping)
        finally:
            stopping.set()
            for part in reversed(started):
                await _stop(part)


async def _until_stopped(parts: Sequence[Part], stopping: asyncio.Event) -> None:
    """Return when asked to stop; raise when a part's task ends before that."""
    asked = asyncio.create_task(stopping.wait())
    tasks = {task: part.name for part in parts if (task := getattr(part, "task", None))}
    done, _ = await asyncio.wait({asked, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    if asked in done:
        return
    asked.cancel()
    for task in done:
        log("lifecycle.part_died", level="error", part=tasks[task])
        task.result()
        raise RuntimeError(f"{tasks[task]} ended by itself; it is meant to run until the process stops")


async def _stop(part: Part) -> None:
    """Stop one part; a failure to stop must not keep the others running."""
    try:
        await part.stop()
    except Exception as error:  # noqa: BLE001 - the remaining parts still have to stop
        log("lifecycle.stop_failed", level="error", part=part.name, error=type(error).__name__)


@contextlib.contextmanager
def _signals_set(stopping: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set the event instead of killing us in the middle of a transaction."""
    loop = asyncio.get_running_loop()
    caught: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    try:
        for number in caught:
            loop.add_signal_handler(number, stopping.set)
    except (ValueError, RuntimeError):  # not the main thread: a test that drives us directly
        caught = ()
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
