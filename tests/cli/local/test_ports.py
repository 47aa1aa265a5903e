"""Ports that stay the same from one start to the next."""

import socket
from pathlib import Path

from services.cli.local import ports


def test_a_wish_is_granted_if_the_port_is_free(tmp_path: Path) -> None:
    """The first start takes the port asked for."""
    [free] = ports.remembered(tmp_path / "scratch.json", [0])
    assert ports.remembered(tmp_path / "ports.json", [free]) == [free]


def test_a_port_is_remembered(tmp_path: Path) -> None:
    """The second start has the ports of the first, whatever it wishes."""
    memory = tmp_path / "ports.json"
    first = ports.remembered(memory, [0, 0])
    assert ports.remembered(memory, [0, 0]) == first
    assert ports.remembered(memory, [1, 2]) == first


def test_a_taken_port_is_replaced_and_the_new_one_remembered(tmp_path: Path) -> None:
    """Somebody else on the remembered port costs the address, not the start."""
    memory = tmp_path / "ports.json"
    [before] = ports.remembered(memory, [0])
    with socket.create_server(("127.0.0.1", before)):
        [after] = ports.remembered(memory, [0])
        assert after != before
    assert ports.remembered(memory, [0]) == [after]


def test_two_ports_never_repeat(tmp_path: Path) -> None:
    """Several free ports are different ones."""
    chosen = ports.remembered(tmp_path / "ports.json", [0] * 20)
    assert len(set(chosen)) == 20


def test_a_broken_memory_is_forgotten(tmp_path: Path) -> None:
    """A file that is not ours, or for another number of ports, is as good as none."""
    memory = tmp_path / "ports.json"
    for text in ("{", '"x"', "[1]", "null"):
        memory.write_text(text)
        assert len(ports.remembered(memory, [0, 0])) == 2


def test_listens_tells_whether_somebody_is_there(tmp_path: Path) -> None:
    """A port listens while a server holds it, and not afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ports.listens(port)
    assert not ports.listens(port)
