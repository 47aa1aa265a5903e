"""How much memory there is, for the machine and in a container."""

from pathlib import Path

import psutil
import pytest

from services.cli.local import memory, postgres

GIBIBYTE = 1024**3


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, 64 * GIBIBYTE),
        ("max", 64 * GIBIBYTE),
        (str(2 * GIBIBYTE), 2 * GIBIBYTE),
        (str(2**62), 64 * GIBIBYTE),
    ],
)
def test_a_container_has_less_than_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, expected: int
) -> None:
    """Its limit counts where there is one."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"total": 64 * GIBIBYTE}))
    limit = tmp_path / "memory.max"
    if said is not None:
        limit.write_text(f"{said}\n")
    assert memory.total_bytes((limit,)) == expected


@pytest.mark.parametrize(("gibibytes", "expected"), [(0.5, 128), (4, 512), (8, 1024), (256, 1024)])
def test_postgres_takes_an_eighth(monkeypatch: pytest.MonkeyPatch, gibibytes: float, expected: int) -> None:
    """Never less than its own default, never more than a gibibyte."""
    monkeypatch.setattr(memory, "total_bytes", lambda: int(gibibytes * GIBIBYTE))
    assert postgres._buffers_mb() == expected
