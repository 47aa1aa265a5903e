"""`leadscore demo` as a person runs it, against a whole Leadscore on real servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from services.cli.installation import Installation
from shared.topics import Topics
from tests.cli.demo.test_target import KNOWN
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
PORTS = (
    *("LEADSCORE_INGEST_PORT", "LEADSCORE_INGEST_ADMIN_PORT"),
    *("LEADSCORE_SCORER_ADMIN_PORT", "LEADSCORE_ROUTER_ADMIN_PORT"),
)


@pytest.fixture
def running(database: str, kafka_server: str, topics: Topics, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment of commands beside a `leadscore up` that is ready."""
    ports = {name: str(free_port()) for name in PORTS}
    commands = {**os.environ, "LEADSCORE_DATA": str(tmp_path / "data")}
    servers = {"DATABASE_URL": database, "KAFKA_BOOTSTRAP_SERVERS": kafka_server}
    environment = {**commands, **servers, **ports, "LEADSCORE_TOPIC_PREFIX": topics.prefix}
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", "up"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdout is not None
        said = []
        for line in up.stdout:
            said.append(line)
            if line.startswith("Leadscore is up"):
                break
        else:
            raise AssertionError("".join(said))
        yield commands
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)


def _demo(environment: Mapping[str, str], *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a run and the JSON it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "demo", "--json", *options],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_demo_sends_counts_delivers_and_repeats_without_counting(
    running: Mapping[str, str], tmp_path: Path
) -> None:
    """Everything sent is counted once; another run counts anew; the same ids again count nothing.

    Also from a machine on which nothing was ever started.
    """
    code, first = _demo(running, "--users", "12")
    assert (code, first["shortfalls"]) == (0, [])
    events = first["sent"]["events"]
    assert min(first["sent"][sender] for sender in ("calls", "mails", "forms")) > 0
    assert first["accepted"] == events == first["counted"] + first["quarantined"]
    assert first["quarantined"] > 0
    assert sum(first["leads"].values()) >= 12

    code, second = _demo(running, "--users", "12")
    assert code == 0
    assert second["counted"] == first["counted"]
    assert second["duplicate"] == 0
    assert second["leads"].keys() >= {"lead"}
    assert sum(second["leads"].values()) == sum(first["leads"].values())

    code, repeated = _demo(running, "--users", "12", "--same-ids")
    assert code == 0
    assert repeated["run"] == second["run"]
    assert (repeated["counted"], repeated["quarantined"], repeated["duplicate"]) == (0, 0, events)
    assert repeated["deliveries"] == {}

    never_up = tmp_path / "elsewhere"
    known = Installation(folder=Path(running["LEADSCORE_DATA"])).known()
    code, elsewhere = _demo({**known, **running, "LEADSCORE_DATA": str(never_up)}, "--users", "1")
    assert (code, (never_up / "demo-run").read_text()) == (0, elsewhere["run"])


@pytest.mark.parametrize(
    "noted", [{}, KNOWN | {"LEADSCORE_INGEST_ADMIN_PORT": "1"}], ids=["never", "stopped"]
)
def test_a_demo_without_a_running_leadscore_says_what_to_do(tmp_path: Path, noted: Mapping[str, str]) -> None:
    """Nothing noted, or noted but not answering: the message begins with what to do; exit code 2."""
    (tmp_path / "addresses.env").write_text("".join(f"{name}={value}\n" for name, value in noted.items()))
    environment = {**os.environ, "LEADSCORE_DATA": str(tmp_path)}
    for name in (*PORTS, "DATABASE_URL"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "`make run` first" in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "demo-run").exists()
