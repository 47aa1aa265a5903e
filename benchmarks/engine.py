"""`make bench-engine`: the scoring engine by itself, in memory, on one core.

In: nothing but this checkout. Out: a table; with --markdown the same in docs/benchmarks.md.
Refuses to time anything but itself: CPU seconds of this process, no disk, no network, no servers.

    .venv/bin/python -m benchmarks.engine [--quick] [--markdown]
"""

import argparse
import gc
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
from rich.console import Console

from benchmarks import machine
from benchmarks.engine_figures import Engine, Growth, figures
from benchmarks.figures import DOCUMENT, Report, table, write
from benchmarks.history import END, histories
from services.scorer.models import model_source
from shared import codec
from shared.events import Event
from shared.ids import EventId
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import fold, refold
from shared.scoring.engine.score import standing
from shared.scoring.engine.state import EMPTY, LeadState, decode
from shared.scoring.replay.fast_replay import fast_replay
from shared.scoring.replay.life import live
from shared.scoring.replay.timeline import Chart, Timeline

MODEL: Final = Path(__file__).parent / "models" / "forty-rules.yaml"
_SEED: Final = 4
_GROWN: Final = (10, 1_000, 100_000)
_VARIETY: Final = 1_000

Pass = Callable[[Compiled], object]
"""Something to time, done with a model that has nothing in mind yet"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much to measure; the command that asks for it."""

    command: str
    leads: int
    rounds: int


_FULL: Final = Size(command="make bench-engine", leads=3_000, rounds=9)
_QUICK: Final = Size(command="python -m benchmarks.engine --quick", leads=500, rounds=3)


def measure(
    model: Compiled, lives: Sequence[Sequence[Event]], rounds: int, lengths: Sequence[int] = _GROWN
) -> Engine:
    """Every measurement in turn, round after round; medians of the rounds.

    lives:    each lead's events, in order
    lengths:  to which the history of one lead grows
    """
    events = [event for life in lives for event in life]
    bodies = [codec.encode(event) for event in events]
    states = [refold(model, life) for life in lives]
    kept = [state.encode() for state in states]
    passes: dict[str, tuple[int, Pass]] = {
        "read": (len(events), lambda _: [codec.decode(body) for body in bodies]),
        "count": (len(events), lambda _: _count(lives)),
        "replay": (len(events), lambda cold: _replay(cold, lives)),
        "refold": (len(events), lambda cold: [standing(cold, refold(cold, life), END) for life in lives]),
        "each": (len(events), lambda cold: _score_each(cold, lives)),
        "live": (len(events), lambda cold: [live(cold, life, END) for life in lives]),
        "fast_replay": (len(events), lambda cold: _fast_replay(cold, lives)),
        "standing": (len(states), lambda cold: [standing(cold, state, END) for state in states]),
        "encode": (len(states), lambda _: [state.encode() for state in states]),
        "decode": (len(states), lambda _: [decode(data) for data in kept]),
    }
    rates = _rates(model, passes, rounds)
    sizes = sorted(map(len, kept))
    return Engine(
        rules=len(model.engagement) + len(model.fit),
        events=len(events),
        leads=len(lives),
        per_s={name: statistics.median(each) for name, each in rates.items()},
        best={name: max(each) for name, each in rates.items()},
        state_bytes=(sizes[len(sizes) // 2], sizes[-1]),
        growth=tuple(grow(model, events[:_VARIETY], lengths)),
    )


def _rates(model: Compiled, passes: Mapping[str, tuple[int, Pass]], rounds: int) -> dict[str, list[float]]:
    """Units per CPU second, for each pass one rate a round; a round before the first is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in passes}
    for round_ in range(rounds + 1):
        for name, (units, run) in passes.items():
            cold = Compiled.of(model.model)  # remembers nothing of the pass before, which saw the same events
            gc.collect()
            began = time.process_time()
            run(cold)
            if round_:
                rates[name].append(units / (time.process_time() - began))
    return rates


def _count(lives: Sequence[Sequence[Event]]) -> None:
    """The cheapest thing that could be called folding: how many events of each name."""
    for life in lives:
        counts: dict[str, int] = {}
        for event in life:
            counts[event.name] = counts.get(event.name, 0) + 1


def _replay(model: Compiled, lives: Sequence[Sequence[Event]]) -> None:
    """Each lead's events folded one by one, and the lead scored at the end."""
    for life in lives:
        state = EMPTY
        for event in life:
            state = _folded(model, state, event)
        standing(model, state, END)


def _fast_replay(model: Compiled, lives: Sequence[Sequence[Event]]) -> None:
    """Each life, looking only where a stage could change."""
    chart = Chart(model)
    for life in lives:
        fast_replay(Timeline(chart, life).under(model), END)


def _score_each(model: Compiled, lives: Sequence[Sequence[Event]]) -> None:
    """The lead scored after every single event."""
    for life in lives:
        state = EMPTY
        for event in life:
            state = _folded(model, state, event)
            standing(model, state, event.occurred_at)


def _folded(model: Compiled, state: LeadState, event: Event) -> LeadState:
    folded = fold(model, state, event)
    if folded is None:
        raise ValueError(f"event {event.event_id} is out of order")
    return folded


def grow(model: Compiled, events: Sequence[Event], lengths: Sequence[int]) -> Iterator[Growth]:
    """One lead's history grows to each of these lengths: the size of its state, the most memory it took."""
    for length in lengths:
        gc.collect()
        tracemalloc.start()
        state = EMPTY
        for event in _one_lead(events, length):
            state = _folded(model, state, event)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        yield Growth(events=length, state_bytes=len(state.encode()), peak_bytes=peak)


def _one_lead(events: Sequence[Event], length: int) -> Iterator[Event]:
    """So many events of one lead, a minute apart: like these, again and again, with ids of their own."""
    for number in range(length):
        at = END + timedelta(minutes=number)
        like = events[number % len(events)]
        yield msgspec.structs.replace(like, event_id=EventId(UUID(int=number)), occurred_at=at)


def _on_one_core() -> None:
    """Stay on one core, where the system lets us choose."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def run(size: Size, console: Console) -> Report:
    """Measure, on one core."""
    load = os.getloadavg()[0]
    _on_one_core()
    console.print("histories …")
    model = model_source.read(MODEL).model
    lives = histories(size.leads, _SEED)
    gc.freeze()  # what is measured is the engine, and not the collector's way through its input
    console.print("engine …")
    return Report(
        name="bench-engine",
        command=size.command,
        day=datetime.now(UTC).date().isoformat(),
        machine=tuple(machine.describe(("msgspec",), load).lines()),
        figures=tuple(figures(measure(model, lives, size.rounds))),
    )


def main() -> None:
    """Read the options, measure, print."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.engine", description="Measure the engine.")
    options.add_argument("--quick", action="store_true", help="less of everything, in a few seconds")
    options.add_argument("--markdown", action="store_true", help=f"write {DOCUMENT.name}")
    given = options.parse_args(sys.argv[1:])
    console = Console()
    report = run(_QUICK if given.quick else _FULL, console)
    console.print(table(report))
    if given.markdown:
        write(DOCUMENT, report)
        console.print(f"{DOCUMENT.name} is written")


if __name__ == "__main__":
    main()
