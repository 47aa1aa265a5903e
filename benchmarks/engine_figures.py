"""What bench-engine measured, as lines of its report.

In: an `Engine`. Out: figures, each beside a reference of the same run. Refuses nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Figure

_AIM: Final = 100_000
_KIBIBYTE: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One lead with so many events: the bytes of its state, and the most memory that folding them took."""

    events: int
    state_bytes: int
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the engine did.

    per_s:        name of a pass → events (or states) per second of CPU, in the median round
    best:         the same in the fastest round, when no other guest of the machine was using its memory
    state_bytes:  of a lead: the median, and the largest
    """

    rules: int
    events: int
    leads: int
    per_s: Mapping[str, float]
    best: Mapping[str, float]
    state_bytes: tuple[int, int]
    growth: tuple[Growth, ...]


def figures(engine: Engine) -> Iterator[Figure]:
    """All of it: what only reads, what scores, what is kept."""
    yield from _references(engine)
    yield from _scoring(engine)
    yield from _states(engine)
    yield _memory(engine)


def _references(engine: Engine) -> Iterator[Figure]:
    yield Figure(
        what="reading the events from JSON, and nothing else",
        measured=_rate(engine, "read"),
        beside=f"{engine.events:,} events of {engine.leads:,} leads: nothing that reads them can be faster",
    )
    yield Figure(
        what="counting events by name, in a dict per lead",
        measured=_rate(engine, "count"),
        beside="the cheapest thing that could be called folding",
    )


def _scoring(engine: Engine) -> Iterator[Figure]:
    per_lead = engine.events / engine.leads
    yield Figure(
        what=f"fold every event, score every lead, {engine.rules} rules",
        measured=_rate(engine, "replay"),
        beside=f"{_of_reading(engine, 'replay')}; {per_lead:.0f} events a lead; aim {_AIM:,} events/s",
    )
    yield Figure(
        what="the same as a refold of sorted history",
        measured=_rate(engine, "refold"),
        beside=f"{_of_reading(engine, 'refold')}; aim {_AIM:,} events/s",
    )
    yield Figure(
        what="read from JSON, fold every event, score every lead",
        measured=f"{_together(engine, 'read', 'replay'):,.0f} events/s",
        beside="worked out from the lines above",
    )
    yield Figure(
        what="fold and score after every single event",
        measured=_rate(engine, "each"),
        beside=f"{_of_reading(engine, 'each')}; {_times(engine, 'replay', 'each')} the work of a replay",
    )
    yield Figure(
        what="live: fold, score, judge the stage, ask whether it was quiet",
        measured=_rate(engine, "live"),
        beside=f"{_of_reading(engine, 'live')}; after every single event",
    )
    yield Figure(
        what="skim: the same life, looking only where a stage could change",
        measured=_rate(engine, "fast_replay"),
        beside=f"{_times(engine, 'fast_replay', 'live')} as fast as living it",
    )
    yield Figure(
        what="score a lead from its state",
        measured=f"{engine.per_s['standing']:,.0f} leads/s",
        beside=f"{engine.per_s['standing'] / engine.per_s['read']:.0%} of the events that can be read",
    )


def _states(engine: Engine) -> Iterator[Figure]:
    median, largest = engine.state_bytes
    yield Figure(
        what="encode / decode the state of a lead",
        measured=f"{engine.per_s['encode']:,.0f} / {engine.per_s['decode']:,.0f} states/s",
        beside=f"{median:,} bytes in the median, {largest:,} at most",
    )


def _memory(engine: Engine) -> Figure:
    lengths = " / ".join(f"{each.events:,}" for each in engine.growth)
    sizes = " / ".join(f"{each.state_bytes:,}" for each in engine.growth)
    peaks = " / ".join(f"{each.peak_bytes / _KIBIBYTE:,.0f}" for each in engine.growth)
    return Figure(
        what=f"one lead with {lengths} events: bytes of its state",
        measured=sizes,
        beside=f"most memory while folding, KiB: {peaks}; aim flat",
    )


def _rate(engine: Engine, name: str) -> str:
    return f"{engine.per_s[name]:,.0f} events/s (best {engine.best[name]:,.0f})"


def _of_reading(engine: Engine, name: str) -> str:
    return f"{engine.per_s[name] / engine.per_s['read']:.0%} of reading"


def _together(engine: Engine, *names: str) -> float:
    """The rate of doing these one after the other."""
    return 1 / sum(1 / engine.per_s[name] for name in names)


def _times(engine: Engine, one: str, other: str) -> str:
    return f"{engine.per_s[one] / engine.per_s[other]:.1f} times"
