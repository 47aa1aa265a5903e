"""What a transaction did, to be counted once it is committed.

In: what the conductors did. Out: values for metrics. Refuses to count by itself: metrics.note does that.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.scorer.offsets import Tally
from shared.leads.identifiers import Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one batch did, to be counted in metrics once it is committed.

    tallies:   partition → what became of its records
    passed:    (previous stage, stage) of each transition
    merged:    leads merged; `refused`: pairs of identifiers that stay with two people
    suspended: identifiers that tied a crowd together; `shared`: devices of too many people
    to_regroup: requests to group leads anew; `regrouped`: how one of them ended, as a metric label
    refolded:  one reason per lead that was computed from its history
    quarantined: events of the batch that do not count, by why
    changed:   stored events that count no more (`taken_back`) or again (`released`)
    to_look:   clicks whose neighbours have to be looked at
    """

    tallies: Mapping[int, Tally] = field(default_factory=dict)
    passed: list[tuple[str, str]] = field(default_factory=list)
    merged: int = 0
    refused: int = 0
    suspended: list[Identifier] = field(default_factory=list)
    shared: list[Identifier] = field(default_factory=list)
    to_regroup: int = 0
    regrouped: str = ""
    refolded: list[str] = field(default_factory=list)
    quarantined: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    to_look: int = 0
