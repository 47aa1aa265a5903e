"""`make watch`: a real Prometheus on a real installation, and alerts that fire because something is wrong."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cli import installation as machine
from services.cli.prometheus import HOW_TO_GET_IT, ROOT, RULES, find
from tests.installation import Installation
from tests.waiting import until

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(
        find("prometheus") is None, reason=f"Prometheus is not here, so no alert was fired. {HOW_TO_GET_IT}"
    ),
]


def impatient_rules(folder: Path) -> Path:
    """Our rules, with seconds where they wait for minutes."""
    folder.mkdir()
    for path in RULES.glob("*.yml"):
        (folder / path.name).write_text(re.sub(r"\bfor: \d+m", "for: 2s", path.read_text()))
    return folder


def noted(leadscore: Installation, folder: Path) -> Path:
    """The data folder of `leadscore up`, with the addresses of this installation."""
    ports = {name: service.admin_port for name, service in leadscore.services.items()}
    machine.Installation(folder=folder).note(
        {f"LEADSCORE_{name.upper()}_ADMIN_PORT": str(port) for name, port in ports.items()}
    )
    return folder


@asynccontextmanager
async def watching(data: Path, rules: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`make watch` with a look every second, and the address that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli.watch", "--interval", "1s", "--rules", str(rules)),
        cwd=ROOT,
        env={**os.environ, "LEADSCORE_DATA": str(data)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 40)).decode()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        yield process, found.group()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def states(url: str) -> dict[str, str]:
    """The alerts that Prometheus has now, each with its state."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        answer: dict[str, Any] = (await client.get(f"{url}/api/v1/alerts")).json()
    return {alert["labels"]["alertname"]: alert["state"] for alert in answer["data"]["alerts"]}


async def all_read(url: str) -> bool:
    """Whether Prometheus has read all three services."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        answer: dict[str, Any] = (await client.get(f"{url}/api/v1/query", params={"query": "sum(up)"})).json()
    return [float(one["value"][1]) for one in answer["data"]["result"]] == [3]


async def test_a_stopped_scorer_fires_and_its_start_resolves(leadscore: Installation, tmp_path: Path) -> None:
    """All is quiet; the scorer stops: nobody reads events; it is started: quiet again. Ctrl-C ends it."""
    expected = ("LeadscoreNoScorerConsumes", "LeadscoreServiceDown")
    data = noted(leadscore, tmp_path / "data")
    async with watching(data, impatient_rules(tmp_path / "rules")) as (process, url):
        await until(lambda: all_read(url))

        async def quiet() -> bool:
            return not set(expected) & (await states(url)).keys()

        async def firing() -> bool:
            return [(await states(url)).get(name) for name in expected] == ["firing", "firing"]

        await until(quiet)
        await leadscore.scorer.stop()
        await until(firing, within_s=60)
        await leadscore.scorer.start()
        await until(quiet, within_s=60)

        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 0
        with pytest.raises(httpx.ConnectError):
            await states(url)
    assert await leadscore.off() == []
