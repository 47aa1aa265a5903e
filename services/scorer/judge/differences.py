"""Verdicts against what is stored: which events count from now on, and which no longer (pure).

In: stored events of a lead, verdicts, what a person released. Out: `Differences`. Refuses to overrule a
person: what somebody quarantined or released by hand stays so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.scorer.judge.signals import REASONS, Verdict
from services.scorer.store.histories import Row
from shared.ids import EventId


@dataclass(slots=True, kw_only=True)
class Differences:
    """What has to change.

    taken:    counted until now; `renamed`: not counted for another reason; `released`: counted from now on
    upheld:   every event that is not counted, with its verdict
    """

    taken: list[tuple[Row, Verdict]] = field(default_factory=list)
    renamed: list[tuple[Row, Verdict]] = field(default_factory=list)
    released: list[Row] = field(default_factory=list)
    upheld: list[tuple[Row, Verdict]] = field(default_factory=list)


def differences(
    stored: Sequence[Row], found: Mapping[EventId, Verdict], by_hand: Collection[EventId]
) -> Differences:
    """What the verdicts change about these events. by_hand: those that somebody released."""
    made = Differences()
    for row in stored:
        verdict = found.get(row.event.event_id)
        if row.quarantine is not None and row.quarantine not in REASONS:
            continue  # marked, or somebody decided so
        if verdict is None:
            if row.quarantine is not None:
                made.released.append(row)
            continue
        if row.event.event_id in by_hand:
            continue
        made.upheld.append((row, verdict))
        if row.quarantine is None:
            made.taken.append((row, verdict))
        elif row.quarantine != verdict.reason:
            made.renamed.append((row, verdict))
    return made


def doubted(stored: Sequence[Row], found: Mapping[EventId, Verdict]) -> list[EventId]:
    """Counted events that have a verdict: of these it matters whether somebody released them."""
    return [row.event.event_id for row in stored if row.quarantine is None and row.event.event_id in found]
