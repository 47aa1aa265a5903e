"""How measured figures reach the document."""

from pathlib import Path

import pytest

from benchmarks.backlog import Backlog
from benchmarks.figures import write
from benchmarks.intake import Intake
from benchmarks.load import Load
from benchmarks.machine import Machine
from benchmarks.path import Path as Measured
from benchmarks.slice_figures import Results, report

RESULTS = Results(
    intake=Intake(
        single=500.0,
        bare=1000.0,
        batched=6000.0,
        half=Load(requests=10, errors=0, events_per_s=250.0, p50_ms=3.0, p99_ms=9.0),
        cpu_us=300.0,
        bare_cpu_us=100.0,
        peak_bytes=90 * 1024**2,
    ),
    backlog=Backlog(events=1000, leads=200, per_s=4000.0, cpu_us=200.0, peak_bytes=120 * 1024**2),
    paths=(
        Measured(
            rate=1000,
            sent_per_s=998.0,
            refused=0,
            score_p50_ms=40.0,
            score_p99_ms=140.0,
            webhook_p50_ms=60.0,
            webhook_p99_ms=240.0,
            probes=100,
            webhooks=50,
            missing=2,
            peak_bytes={"router": 80 * 1024**2},
        ),
    ),
    machine=Machine(cpu="c", memory="m", system="s", python="p", servers="k", load="l"),
    command="make bench-slice",
    day="2026-01-31",
)
REPORT = report(RESULTS)


def test_ingest_stands_beside_the_bare_app() -> None:
    """The first figure gives ingest's rate and its part of the bare app's, both of this run."""
    first = REPORT.figures[0]
    assert first.measured == "500 events/s"
    assert first.beside.startswith("50% of a bare app in the same run (1,000/s)")


def test_what_did_not_come_in_time_is_said() -> None:
    """A figure about webhooks says how many were missing."""
    assert any("50 awaited, 2 not in time" in figure.beside for figure in REPORT.figures)


def test_memory_is_the_highest_of_all_measurements() -> None:
    """One line has the peak of each service."""
    assert REPORT.figures[-1].measured == "ingest 90, scorer 120, router 80"


def test_the_section_is_replaced_and_the_rest_is_kept(tmp_path: Path) -> None:
    """Writing twice leaves one section, with what was around it untouched."""
    file = tmp_path / "benchmarks.md"
    file.write_text("before\n<!-- bench-slice: begin -->\nold\n<!-- bench-slice: end -->\nafter\n")
    write(file, REPORT)
    write(file, REPORT)
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("make bench-slice") == 1
    assert "| ingest, single events, 32 connections | 500 events/s |" in text


def test_a_document_without_a_place_is_refused(tmp_path: Path) -> None:
    """A file without the markers is left as it is, and the message names them."""
    file = tmp_path / "benchmarks.md"
    file.write_text("nothing here\n")
    with pytest.raises(ValueError, match="bench-slice: begin"):
        write(file, REPORT)
    assert file.read_text() == "nothing here\n"
