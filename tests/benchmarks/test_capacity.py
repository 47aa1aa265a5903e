"""docs/capacity.md: its tables are those of the run that is committed, and the arithmetic is right."""

import msgspec
import pytest

from benchmarks.capacity_figures import ASSUMED, DOCUMENT, RATES, Cost, Measured, load, marked, need, page

ROUND = Measured(
    day="2026-11-28",
    machine=["a machine"],
    single=Cost(
        units=1,
        per_s=1,
        cpu_us={"ingest": 300.0, "kafka": 60.0},
        bytes={"kafka": 1000.0, "network": 1000.0},
    ),
    batch=Cost(units=1, per_s=1, cpu_us={"ingest": 60.0, "kafka": 6.0}, bytes={"kafka": 1000.0}),
    scorer=Cost(
        units=1,
        per_s=1,
        cpu_us={"scorer": 120.0, "postgres": 90.0, "kafka": 60.0},
        bytes={"events": 500.0, "network": 4000.0},
    ),
    router=Cost(units=1, per_s=1, cpu_us={"router": 3000.0, "postgres": 1500.0}, bytes={"moves": 5000.0}),
    lead_bytes=4000.0,
    memory_mib={"ingest": 60.0},
)


def test_the_page_is_that_of_the_run() -> None:
    """Both tables follow from benchmarks/capacity.json; `make bench-capacity` with --markdown renews all."""
    text = DOCUMENT.read_text()
    assert page(load(), text) == text


def test_cores_are_rate_by_cost_over_what_may_be_busy() -> None:
    """100,000 events/s at 300 µs are 30 cores, 50 at 60 %; nothing less than one process."""
    needed = need(100_000, ROUND)
    assert (needed.ingest_single, needed.ingest_batch, needed.scorers) == (50, 10, 20)
    assert needed.partitions == 24
    assert needed.routers == 1
    # 100,000 events at 90 µs are 15 cores; 200 moves at 1,500 µs are half a core.
    assert needed.postgres_cores == 15 + 1
    assert need(1, ROUND).scorers == 1
    assert need(1, ROUND).partitions == ASSUMED.partitions_at_least


def test_disk_follows_the_mean_and_has_all_copies() -> None:
    """333 events/s of 1,000 bytes for 14 days, three times."""
    needed = need(1_000, ROUND)
    assert needed.kafka_tib == pytest.approx(1_000 / 3 * 1_000 * 86_400 * 14 * 3 / 1024**4)
    assert needed.history_tib == pytest.approx(1_000 / 3 * 500 * 86_400 * 395 * 2 / 1024**4)
    assert needed.network_gbit == pytest.approx(1_000 * 5_000 * 8 / 1e9)


def test_ten_times_the_rate_is_ten_times_the_disk() -> None:
    """And no part of the arithmetic saves by size what nobody has measured."""
    small, large = need(RATES[0], ROUND), need(RATES[0] * 10, ROUND)
    assert large.history_tib == pytest.approx(10 * small.history_tib)
    assert msgspec.json.decode(msgspec.json.encode(ROUND), type=Measured) == ROUND


def test_a_page_without_a_place_is_refused() -> None:
    """Nothing is written anywhere else."""
    with pytest.raises(ValueError, match="no place for needs"):
        marked("needs", "text", "a page")
