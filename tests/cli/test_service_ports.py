"""Ports of the services that `leadscore up` starts: yours where you say so, and never one for two."""

import json
from pathlib import Path

import pytest

from services.cli import service_ports
from shared.errors import Misconfigured


def test_a_given_port_is_chosen_for_no_other_service(tmp_path: Path) -> None:
    """Ingest on the usual port of its own admin listener: that one moves, and the user hears why."""
    said: list[str] = []
    given = {"LEADSCORE_INGEST_PORT": "8091"}
    chosen = service_ports.choose(given, tmp_path / "ports.json", said.append)
    assert chosen["LEADSCORE_INGEST_PORT"] == "8091"
    assert len(set(chosen.values())) == len(service_ports.WISHES)
    assert [line for line in said if line.startswith("port 8091 is LEADSCORE_INGEST_PORT: ")]


def test_a_given_port_is_not_remembered(tmp_path: Path) -> None:
    """Who stops giving a port has the one of before again."""
    memory = tmp_path / "ports.json"
    before = service_ports.choose({}, memory, print)
    service_ports.choose({"LEADSCORE_SCORER_ADMIN_PORT": "18999"}, memory, print)
    assert json.loads(memory.read_text())[2] == int(before["LEADSCORE_SCORER_ADMIN_PORT"])


def test_one_port_for_two_listeners_is_refused() -> None:
    """The sentence names both variables and the port."""
    given = {"LEADSCORE_INGEST_PORT": "8091", "LEADSCORE_ROUTER_ADMIN_PORT": "8091"}
    with pytest.raises(Misconfigured, match="INGEST_PORT and LEADSCORE_ROUTER_ADMIN_PORT are both 8091"):
        service_ports.given(given)


def test_what_is_no_port_is_left_to_the_service(tmp_path: Path) -> None:
    """Its own settings refuse it, together with every other mistake."""
    given = {"LEADSCORE_INGEST_PORT": "tcp://10.0.0.1"}
    assert service_ports.given(given) == {}
    chosen = service_ports.choose(given, tmp_path / "ports.json", print)
    assert chosen["LEADSCORE_INGEST_PORT"] == "tcp://10.0.0.1"
