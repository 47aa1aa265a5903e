"""Keeping processes running: restart with patience, give up in time, relay what they say."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from fastapi import FastAPI, Response

from services.cli.local.process import Command
from services.cli.supervise import Died, Service, keep, pause_s, ready, together
from shared.errors import Misconfigured
from shared.lifecycle import HttpServer


def _service(folder: Path, program: str, said: list[str]) -> Service:
    command = Command(
        name="part", argv=[sys.executable, "-u", "-c", program, str(folder)], folder=folder, mark=str(folder)
    )
    return Service(command, said.append)


def _hurried(deaths: Sequence[float], now: float) -> float | None:
    """The real patience, a hundred times faster."""
    pause = pause_s(deaths, now)
    return None if pause is None else pause / 100


def test_each_restart_within_a_minute_waits_twice_as_long() -> None:
    """0.25, 0.5, 1, 2, 4 seconds; the sixth death within a minute is the last."""
    deaths = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [pause_s(deaths[: n + 1], deaths[n]) for n in range(6)] == [0.25, 0.5, 1.0, 2.0, 4.0, None]


def test_old_deaths_are_forgiven() -> None:
    """A part that ran for a minute starts again at once, however often it died before."""
    assert pause_s([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 100.0], 100.0) == 0.25


@pytest.mark.asyncio
async def test_what_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    """Five restarts, then Died with the last exit code; each restart is said."""
    said: list[str] = []
    notes: list[str] = []
    service = _service(tmp_path, "print('hello'); raise SystemExit(3)", said)
    await service.start()
    with pytest.raises(Died, match="part ended 6 times in a minute, last with exit code 3"):
        await keep(service, notes.append, _hurried)
    assert said == ["hello"] * 6
    assert notes[0] == "part ended (exit code 3); starting it again in 0.0025 s"
    assert len(notes) == 5
    await service.stop()


@pytest.mark.asyncio
async def test_wrong_configuration_is_not_tried_again(tmp_path: Path) -> None:
    """Exit code 2 means that only a person can help."""
    said: list[str] = []
    service = _service(tmp_path, "print('bad.yaml:3: ...'); raise SystemExit(2)", said)
    await service.start()
    with pytest.raises(Died, match="configuration is wrong"):
        await keep(service, pytest.fail)
    assert said == ["bad.yaml:3: ..."]
    await service.stop()


@pytest.mark.asyncio
async def test_a_line_too_long_costs_only_itself(tmp_path: Path) -> None:
    """Output that is no line does not stop the relay, nor the process behind it."""
    said: list[str] = []
    service = _service(tmp_path, "print('x' * 3_000_000); print('after')", said)
    await service.start()
    await service.wait()
    assert said[-1] == "after"
    assert all(len(line) < 3_000_000 for line in said)
    await service.stop()


@pytest.mark.asyncio
async def test_stop_before_start_and_twice_is_legal(tmp_path: Path) -> None:
    """As for every part."""
    service = _service(tmp_path, "import time; time.sleep(600)", [])
    await service.stop()
    await service.start()
    await service.start()
    await service.stop()
    await service.stop()
    assert service.pid is None


@pytest.mark.asyncio
async def test_ready_waits_for_a_success() -> None:
    """503 until it is ready: the wait ends with the first 200, or tells what was said last."""
    app = FastAPI()
    answers = iter([503, 503, 200])

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, str]:
        response.status_code = next(answers, 503)
        return {"partitions": "none assigned"}

    server = HttpServer("readiness", app, host="127.0.0.1", port=0)
    await server.start()
    url = f"http://{server.address}/readyz"
    assert await ready(url, 10) == ""
    assert await ready(url, 0.3) == '{"partitions":"none assigned"}'
    await server.stop()
    assert await ready(url, 0.3) == "ConnectError"


@pytest.mark.asyncio
async def test_together_raises_the_first_error_as_it_is() -> None:
    """No exception group: what failed is what the caller handles; the others are cancelled."""
    cancelled = asyncio.Event()

    async def fails() -> None:
        raise Misconfigured("no", [])

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(Misconfigured):
        await together(waits(), fails())
    assert cancelled.is_set()
