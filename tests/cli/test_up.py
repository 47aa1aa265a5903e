"""`leadscore up` as a user meets it: one command, one Ctrl-C, and kill -9 of anything."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from services.cli.installation import Installation
from shared.kafka.connect import Connection
from shared.topics import Topics
from tests.servers import JARS, REPOSITORY


@contextmanager
def _started(folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A supervisor that is just starting; killed at the end if the test did not stop it."""
    without = {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}
    inherited = {name: value for name, value in os.environ.items() if name not in without}
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", "up"],
        cwd=REPOSITORY,
        env=inherited | {"LEADSCORE_DATA": str(folder), "LEADSCORE_CACHE": str(JARS.parent)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _up(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A supervisor and what it said until it was up."""
    with _started(folder, **environment) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Half a year"):
                break
        yield process, said


def _stop(process: subprocess.Popen[str], number: signal.Signals) -> int:
    """Send the signal; return the exit code after the last line."""
    assert process.stdout is not None
    process.send_signal(number)
    process.stdout.read()
    return process.wait()


def _children(folder: Path) -> dict[str, psutil.Process]:
    """Every process that the supervisor started, by name."""
    return {file.stem: psutil.Process(json.loads(file.read_text())["pid"]) for file in folder.glob("*/*.pid")}


def _all_gone(processes: dict[str, psutil.Process], limit_s: float = 20) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if not any(
            each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes.values()
        ):
            return True
        time.sleep(0.05)
    return False


def _accepts_an_event(folder: Path) -> bool:
    known = Installation(folder=folder).known()
    answer = httpx.post(
        f"http://127.0.0.1:{known['LEADSCORE_INGEST_PORT']}/v1/track",
        auth=(known["LEADSCORE_KEY_PRODUCT"], ""),
        json={"anonymousId": "a-1", "event": "Demo Requested"},
        trust_env=False,
    )
    return answer.status_code == 200


def test_one_command_starts_all_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """Servers and services run, take an event, and are all gone after one Ctrl-C, with exit code 0."""
    with _up(tmp_path) as (process, said):
        children = _children(tmp_path)
        assert set(children) == {"postgres", "kafka", "ingest", "scorer", "router"}, said
        assert f"{tmp_path} (secrets.env has the write keys)" in said
        assert _accepts_an_event(tmp_path)
        assert _stop(process, signal.SIGINT) == 0
    assert _all_gone(children, limit_s=0.5)
    assert not list(tmp_path.glob("*/*.pid"))
    assert not (tmp_path / "addresses.env").exists()


def test_your_servers_are_used_and_left_running(
    tmp_path: Path, database: str, kafka: Connection, topics: Topics
) -> None:
    """With both variables set only the services are started; a start after kill -9 recovers."""
    given = {
        "DATABASE_URL": database,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LEADSCORE_TOPIC_PREFIX": topics.prefix,
    }
    with _up(tmp_path, **given) as (process, _):
        before = _children(tmp_path)
        assert set(before) == {"ingest", "scorer", "router"}
        addresses = Installation(folder=tmp_path).known()
        process.kill()
        process.wait()
    assert _all_gone(before)
    with _up(tmp_path, **given) as (process, said):
        after = _children(tmp_path)
        assert set(after) == {"ingest", "scorer", "router"}, said
        assert Installation(folder=tmp_path).known() == addresses
        assert _accepts_an_event(tmp_path)
        after["ingest"].kill()
        assert process.stdout is not None
        ended = next(line for line in process.stdout if line.startswith("up "))
        assert "ingest ended (signal 9); starting it again in 0.25 s" in ended
        assert _stop(process, signal.SIGTERM) == 0
    assert _all_gone(after, limit_s=0.5)


def test_a_second_ctrl_c_does_not_wait_for_a_download(tmp_path: Path) -> None:
    """In the first start on a network that does not answer: all is stopped, then the process ends at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        given = dict.fromkeys(("https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"), proxy)
        cache = {
            "LEADSCORE_CACHE": str(tmp_path / "cache"),
            "HOME": str(tmp_path),
            "NO_PROXY": "",
            "no_proxy": "",
        }
        with _started(tmp_path / "data", DATABASE_URL="postgresql://unused", **cache, **given) as process:
            assert process.stdout is not None
            silent.settimeout(20)
            silent.accept()[0].detach()
            process.send_signal(signal.SIGINT)
            assert any("stopped" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=5) == 0


@pytest.mark.parametrize("name", ["LEADSCORE_INGEST_SOURCES_FILE", "LEADSCORE_ROUTER_ROUTING_FILE"])
def test_a_wrong_configuration_stops_everything(
    tmp_path: Path, database: str, kafka: Connection, topics: Topics, name: str
) -> None:
    """A service that refuses to start says why, the others are stopped, and the exit code is not 0."""
    given = {
        "DATABASE_URL": database,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LEADSCORE_TOPIC_PREFIX": topics.prefix,
        name: str(tmp_path / "missing.yaml"),
    }
    with _up(tmp_path / "data", **given) as (process, said):
        assert process.wait() == 1
    assert "missing.yaml" in said
    assert "ended while it started (exit code 2)" in said
    assert not list(tmp_path.glob("data/*/*.pid"))
