"""What is off, by check: how many, and the first few of each.

In: faults. Out: `Findings`. Every check is named here, with its promise and a sentence for people.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

MOST_EXAMPLES: Final = 10

CHECKS: Final[Mapping[str, tuple[str, str]]] = {
    "event_twice": ("P2", "an event id has more than one row within 35 days"),
    "event_count": ("P2", "a lead's event_count is not the number of its counted events"),
    "score": ("P3", "score, grade or dimensions are not what the stored events make under the lead's model"),
    "state": ("P3", "what is kept of a lead is not what its stored events make"),
    "unreadable_event": ("P3", "a lead has a stored event that cannot be read"),
    "receipts": ("P4", "a transition's receipts do not add up to its score"),
    "sequence": ("P5", "a lead's transitions are not numbered 1, 2, 3, …"),
    "ledger": ("P5", "a lead stands elsewhere than its last transition says, or has counted others"),
    "delivery_missing": ("P5", "a transition was planned for a destination and has no delivery there"),
    "delivery_unplanned": ("P5", "a delivery belongs to no transition that was planned for its destination"),
    "delivery_order": ("P5", "a destination got a lead's transitions in another order than they happened"),
    "books": ("P6", "of a partition's records it is not known what became of each"),
    "books_events": ("P6", "there are not as many rows of events as records were counted or quarantined"),
    "books_dead_letters": ("P6", "there are not as many dead letters as records were dead-lettered"),
    "event_of_no_lead": ("P6", "events count for nobody, or for a lead that does not exist"),
    "identifier_owner": ("identity", "an identifier points to no living lead"),
    "merged_into": ("identity", "a lead is merged into one that does not live"),
    "lead_counts": ("identity", "a lead's row says other identifiers than it has"),
    "conflict_sides": ("identity", "a conflict has the same lead on both sides"),
}


class Fault(NamedTuple):
    """One thing that is off.

    check:   a key of CHECKS
    subject: the lead, event, partition or delivery, as an id
    seen:    what is stored and what was expected
    """

    check: str
    subject: str
    seen: str


@dataclass(slots=True)
class Findings:
    """Everything that was looked at, and what is off."""

    leads: int = 0
    events: int = 0
    transitions: int = 0
    not_compared: int = 0
    reached: str = ""
    whole: bool = False
    numbers: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Fault]] = field(default_factory=dict)

    def add(self, faults: Iterable[Fault]) -> None:
        """Note what is off."""
        for fault in faults:
            self.add_many(fault.check, 1, [fault])

    def add_many(self, check: str, number: int, examples: Iterable[Fault]) -> None:
        """Note so many faults of one check, of which these are some."""
        self.numbers[check] += number
        known = self.examples.setdefault(check, [])
        known += list(examples)[: MOST_EXAMPLES - len(known)]

    def document(self) -> dict[str, Any]:
        """The findings as JSON has them."""
        return {
            "leads": self.leads,
            "events": self.events,
            "transitions": self.transitions,
            "not_compared": self.not_compared,
            "whole_database": self.whole,
            "reached": self.reached,
            "faults": [
                {
                    "check": check,
                    "promise": promise,
                    "what": what,
                    "number": self.numbers[check],
                    "examples": [{"subject": one.subject, "seen": one.seen} for one in self.examples[check]],
                }
                for check, (promise, what) in CHECKS.items()
                if self.numbers[check]
            ],
        }
