"""Start in order, stop in reverse, never live on half dead."""

import asyncio
import os
import signal
import socket

import httpx
import pytest
from fastapi import FastAPI, Request

from shared.errors import Misconfigured
from shared.lifecycle import BackgroundTask, Drain, HttpServer, run
from shared.telemetry import admin_app


class Recorder:
    """A part that writes down what happens to it."""

    def __init__(self, name: str, log: list[str], *, fails: bool = False) -> None:
        self.name = name
        self._log = log
        self._fails = fails

    async def start(self) -> None:
        self._log.append(f"start {self.name}")
        if self._fails:
            raise RuntimeError(self.name)

    async def stop(self) -> None:
        self._log.append(f"stop {self.name}")


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.asyncio
async def test_parts_stop_in_reverse() -> None:
    """What was started last is stopped first."""
    log: list[str] = []
    stopping = asyncio.Event()
    stopping.set()
    await run([Recorder("a", log), Recorder("b", log)], stopping=stopping)
    assert log == ["start a", "start b", "stop b", "stop a"]


@pytest.mark.asyncio
async def test_a_failed_start_stops_what_was_started() -> None:
    """If one part cannot start, those before it are stopped and the error comes out."""
    log: list[str] = []
    with pytest.raises(RuntimeError, match="b"):
        await run([Recorder("a", log), Recorder("b", log, fails=True), Recorder("c", log)])
    assert log == ["start a", "start b", "stop b", "stop a"]


@pytest.mark.asyncio
async def test_a_dead_background_task_ends_the_process() -> None:
    """A task that raises stops everything, and its error is the process's error."""

    async def dies() -> None:
        raise ValueError("gone")

    log: list[str] = []
    with pytest.raises(ValueError, match="gone"):
        await run([Recorder("a", log), BackgroundTask("dies", dies)])
    assert log[-1] == "stop a"


@pytest.mark.asyncio
async def test_a_task_that_just_returns_is_dead_too() -> None:
    """A loop that ends without an error is as dead as one that raises."""

    async def returns() -> None:
        return

    with pytest.raises(RuntimeError, match="ended by itself"):
        await run([BackgroundTask("returns", returns)])


@pytest.mark.asyncio
async def test_sigterm_stops_in_order() -> None:
    """SIGTERM sets `stopping` and ends the run without an error."""
    stopping = asyncio.Event()
    running = asyncio.create_task(run([BackgroundTask("forever", forever)], stopping=stopping))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 5)
    assert stopping.is_set()


@pytest.mark.asyncio
async def test_stopping_twice_or_before_start_is_legal() -> None:
    """Shutdown code need not know how far start got."""
    for part in (
        BackgroundTask("t", forever),
        HttpServer("h", admin_app("t", "0", live={}, ready={}), host="127.0.0.1", port=0),
        Drain("d", forever_done),
    ):
        await part.stop()
        await part.stop()


async def forever_done() -> None:
    return


@pytest.mark.asyncio
async def test_the_admin_port_tells_health_and_metrics() -> None:
    """/livez and /readyz follow their checks, /metrics is what Prometheus reads."""
    trouble = {"database": ""}
    app = admin_app("test", "1", live={"loop": lambda: ""}, ready={"database": lambda: trouble["database"]})
    server = HttpServer("admin", app, host="127.0.0.1", port=0)
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://{server.address}") as client:
            assert (await client.get("/livez")).json() == {"loop": "ok"}
            assert (await client.get("/readyz")).status_code == 200
            trouble["database"] = "away"
            answer = await client.get("/readyz")
            assert (answer.status_code, answer.json()) == (503, {"database": "away"})
            assert "leadscore_build_info" in (await client.get("/metrics")).text
    finally:
        await server.stop()


@pytest.mark.asyncio
async def test_answers_leave_at_once() -> None:
    """Nagle's algorithm is off on the listening socket, from which each connection inherits it."""
    server = HttpServer("h", admin_app("t", "0", live={}, ready={}), host="127.0.0.1", port=0)
    await server.start()
    try:
        assert server._socket is not None
        assert server._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        await server.stop()


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_told_with_what_would_work() -> None:
    """No traceback: which port, why, and that a setting takes another."""
    first = HttpServer("admin", admin_app("t", "0", live={}, ready={}), host="127.0.0.1", port=0)
    await first.start()
    host, _, port = first.address.rpartition(":")
    second = HttpServer("admin", admin_app("t", "0", live={}, ready={}), host=host, port=int(port))
    with pytest.raises(Misconfigured, match=rf"admin port 127\.0\.0\.1:{port} .*already in use\.\n.*_PORT"):
        await run([second])
    await first.stop()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("proxies", "seen"), [("127.0.0.1", "https 203.0.113.9"), ("10.0.0.0/8", "http 127.0.0.1")]
)
async def test_only_our_proxies_say_who_asks(proxies: str, seen: str) -> None:
    """Their X-Forwarded headers are believed, and nobody else's."""
    app = FastAPI()

    @app.get("/")
    async def asked(request: Request) -> str:
        assert request.client is not None
        return f"{request.url.scheme} {request.client.host}"

    server = HttpServer("h", app, host="127.0.0.1", port=0, proxies=proxies)
    await server.start()
    says = {"x-forwarded-for": "198.51.100.1, 203.0.113.9", "x-forwarded-proto": "https"}
    try:
        async with httpx.AsyncClient(base_url=f"http://{server.address}") as client:
            assert (await client.get("/", headers=says)).json() == seen
    finally:
        await server.stop()
