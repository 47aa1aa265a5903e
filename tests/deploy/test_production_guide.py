"""docs/guides/production.md: its commands are ours, its settings are known, its files are there."""

import re
import shlex
from typing import Final

from services.cli.__main__ import COMMANDS
from tests.deploy import given
from tests.servers import REPOSITORY

GUIDE: Final = (REPOSITORY / "docs" / "guides" / "production.md").read_text()
BLOCKS: Final = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
LINES: Final = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]


def commands() -> list[list[str]]:
    """The arguments of each `leadscore` in a block, also in a container."""
    starts = r"^(?:\S*/)?leadscore (.*)$|run --rm cli (.*)$"
    found = [match for line in LINES if (match := re.search(starts, line))]
    return [shlex.split((match[1] or match[2]), comments=True) for match in found]


def test_commands_are_ours() -> None:
    """Each exists and has these options."""
    asked = commands()
    assert {"config", "migrate", "topics", "reconcile"} <= {argv[0] for argv in asked}
    for argv in asked:
        name = next(name for name in COMMANDS if argv[: len(name.split())] == name.split())
        options = [each for each in argv[len(name.split()) :] if each.startswith("-")]
        places = {"DATABASE_URL": "postgresql://db", "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
        given.runs([*name.split(), *options], places)


def test_settings_are_known() -> None:
    """What is to be written into leadscore.env is read by somebody."""
    named = {name for _, text in BLOCKS for name in re.findall(r"^([A-Z][A-Z_]+)=", text, re.MULTILINE)}
    named |= set(re.findall(r"`((?:LEADSCORE|KAFKA|COMPOSE|GRAFANA)_[A-Z_]+)(?:=[^`]*)?`", GUIDE))
    assert len(named) > 10
    assert named - given.KNOWN == set()


def test_files_are_there() -> None:
    """Whatever a command names below deploy/ exists, but for what `leadscore config` makes."""
    named = {path for line in LINES for path in re.findall(r"deploy/[\w./@-]+", line)}
    assert named
    missing = [path for path in named if not (REPOSITORY / path).exists()]
    assert missing == ["deploy/k8s/overlays/production/config"]


def test_ports_are_those_of_the_services() -> None:
    """The admin ports that it asks, and the port that a proxy stands before."""
    asked = next(line for line in LINES if "/readyz" in line)
    assert [int(port) for port in re.findall(r"\b(80\d\d)\b", asked)] == list(given.ADMIN_PORTS.values())
    assert f"127.0.0.1:{given.PUBLIC_PORT}/v1/track" in GUIDE
