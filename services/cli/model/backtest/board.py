"""Many leads' snapshots → columns per cut-off, small enough to keep all of them.

In: `Lived`, one lead after the other. Out: `Board`.
Refuses histories: of a lead, about 30 bytes a cut-off remain, and what its CRM decisions say.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.cli.model.backtest.crm_view import CrmView
from services.cli.model.backtest.snapshots import Decision, Lived, Question, Snapshot


@dataclass(slots=True)
class Cutoff:
    """Everybody who stood there at one cut-off, a column per fact.

    leads:  numbers of the leads, by order of adding
    crm:    numbers of their `CrmView`s, see `Board.views`
    """

    scores: tuple["array[int]", ...]
    won: bytearray = field(default_factory=bytearray)
    leads: "array[int]" = field(default_factory=lambda: array("I"))
    crm: "array[int]" = field(default_factory=lambda: array("I"))
    idle_s: "array[float]" = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class Support:
    """Snapshots, and how many of them converted."""

    snapshots: int = 0
    converted: int = 0


@dataclass(slots=True, kw_only=True)
class Board:
    """All snapshots of a backtest.

    question:    what they answer
    cutoffs:     number of the cut-off → who stood there
    decisions:   with the number of the lead that each is about
    views:       what a CRM can tell apart → its number
    rules:       rules that were worth something together → their support
    numbered:    leads looked at; a number stands for a lead
    leads:       who stood at any cut-off; `converters` those of them who converted within a horizon
    """

    question: Question
    cutoffs: dict[int, Cutoff] = field(default_factory=dict)
    decisions: list[tuple[int, Decision]] = field(default_factory=list)
    views: dict[CrmView, int] = field(default_factory=dict)
    rules: dict[tuple[str, ...], Support] = field(default_factory=dict)
    numbered: int = 0
    leads: int = 0
    converters: int = 0
    events: int = 0
    late: int = 0
    snapshots: int = 0

    def add(self, told: Lived) -> None:
        """One more lead. One that was decided between two cut-offs stands nowhere, but teaches a CRM."""
        self.events += told.events
        self.late += told.late
        self.decisions += [(self.numbered, decision) for decision in told.decisions]
        for snapshot in told.snapshots:
            self._keep(snapshot)
        self.snapshots += len(told.snapshots)
        self.leads += bool(told.snapshots)
        self.converters += any(snapshot.converted for snapshot in told.snapshots)
        self.numbered += 1

    def _keep(self, snapshot: Snapshot) -> None:
        cutoff = self.cutoffs.get(snapshot.cutoff)
        if cutoff is None:
            cutoff = self.cutoffs[snapshot.cutoff] = Cutoff(tuple(array("h") for _ in self.question.models))
        cutoff.won.append(snapshot.converted)
        cutoff.leads.append(self.numbered)
        cutoff.crm.append(self.views.setdefault(snapshot.crm, len(self.views)))
        cutoff.idle_s.append(snapshot.idle_s)
        for column, score in zip(cutoff.scores, snapshot.scores, strict=True):
            column.append(score)
        support = self.rules.get(snapshot.rules)
        if support is None:
            support = self.rules[snapshot.rules] = Support()
        support.snapshots += 1
        support.converted += snapshot.converted

    def in_order(self) -> Sequence[Cutoff]:
        """The cut-offs, earliest first."""
        return [self.cutoffs[number] for number in sorted(self.cutoffs)]

    def moments_s(self) -> Sequence[float]:
        """When they were."""
        return [self.question.moment_s(number) for number in sorted(self.cutoffs)]
