"""What a demo run did → a table for people, JSON for programs.

In: numbers measured by the conductor. Out: `Report`, a rich table, a dict.
Refuses to round a shortfall away: if not everything arrived, the report says what is missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from services.cli.demo.watch import Deliveries, Intake, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds that the run waited for each step.

    sending:     until ingest had answered every request
    counting:    after that, until the scorer had processed everything
    delivering:  after that, until nothing was left to plan or deliver
    """

    sending: float
    counting: float
    delivering: float

    @property
    def elapsed(self) -> float:
        return self.sending + self.counting + self.delivering

    @property
    def slowest(self) -> str:
        """The step that the run waited for longest."""
        steps = {"sending": self.sending, "counting": self.counting, "delivering": self.delivering}
        return max(steps, key=lambda step: steps[step])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What went out, in numbers of events, by sender.

    refused: what a sender gave up
    """

    calls: int
    mails: int
    forms: int
    refused: int

    @property
    def events(self) -> int:
        return self.calls + self.mails + self.forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One demo run; all numbers but `leads` are of this run alone."""

    run: str
    sent: Sent
    intake: Intake
    tally: Tally
    leads: Mapping[str, int]
    deliveries: Deliveries
    times: Times

    @property
    def events_per_s(self) -> float:
        return self.tally.processed / self.times.elapsed if self.times.elapsed else 0.0

    def shortfalls(self) -> list[str]:
        """What did not arrive, a sentence each; empty if everything did."""
        return list(_shortfalls(self))

    def as_dict(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "run": self.run,
            "sent": {**asdict(self.sent), "events": self.sent.events},
            "accepted": self.intake.accepted,
            "rejected": self.intake.rejected,
            **asdict(self.tally),
            "leads": dict(self.leads),
            "deliveries": {name: dict(states) for name, states in self.deliveries.states.items()},
            "unplanned_transitions": self.deliveries.unplanned,
            "seconds": {**asdict(self.times), "elapsed": self.times.elapsed},
            "slowest_step": self.times.slowest,
            "events_per_s": self.events_per_s,
            "shortfalls": self.shortfalls(),
        }


def _shortfalls(report: Report) -> Iterator[str]:
    if report.sent.refused:
        yield f"{report.sent.refused} events were refused by ingest; its log and leads.rejected.v1 say why"
    if (uncounted := report.intake.accepted - report.tally.processed) > 0:
        yield f"{uncounted} accepted events are not counted yet; is the scorer running?"
    if report.deliveries.unplanned:
        yield f"{report.deliveries.unplanned} transitions are not planned yet; is the router running?"
    if report.deliveries.waiting:
        yield f"{report.deliveries.waiting} deliveries are still waiting; does their destination answer?"


def table(report: Report) -> Group:
    """The report for people."""
    rows = Table(
        title=f"Demo run {report.run}", title_justify="left", show_header=False, box=None, padding=(0, 2)
    )
    rows.add_column(style="bold")
    rows.add_column(justify="right")
    rows.add_column(style="dim")
    for name, value, note in (
        *_event_lines(report),
        *_lead_lines(report),
        *_delivery_lines(report),
        *_time_lines(report),
    ):
        rows.add_row(name, value, note)
    return Group(rows, *(Text(f"Not complete: {each}.", style="bold red") for each in report.shortfalls()))


def _event_lines(report: Report) -> Iterator[tuple[str, str, str]]:
    sent, tally = report.sent, report.tally
    parts = (
        f"{sent.calls:,} by the Segment SDK, {sent.mails:,} by SendGrid's webhook, {sent.forms:,} by forms"
    )
    yield "events sent", f"{sent.events:,}", parts
    yield (
        "accepted",
        f"{report.intake.accepted:,}",
        f"{report.intake.rejected:,} rejected" * bool(report.intake.rejected),
    )
    yield "counted", f"{tally.counted:,}", ""
    yield "quarantined", f"{tally.quarantined:,}", "by machines, kept"
    yield "duplicates", f"{tally.duplicate:,}", "seen before, not counted again"
    if tally.dead_lettered:
        yield "dead-lettered", f"{tally.dead_lettered:,}", "see the table dead_letters"


def _lead_lines(report: Report) -> Iterator[tuple[str, str, str]]:
    name = "leads by stage"
    for stage, number in report.leads.items():
        yield name, f"{number:,}", stage
        name = ""


def _delivery_lines(report: Report) -> Iterator[tuple[str, str, str]]:
    name = "deliveries"
    for destination, states in report.deliveries.states.items():
        notes = ", ".join(f"{number:,} {state}" for state, number in sorted(states.items()))
        yield name, f"{sum(states.values()):,}", f"{destination}: {notes}"
        name = ""
    if not report.deliveries.states:
        yield name, "0", "no lead changed its stage in a way that a route asks for"


def _time_lines(report: Report) -> Iterator[tuple[str, str, str]]:
    times = report.times
    steps = f"sending {times.sending:.1f} s, counting {times.counting:.1f} s more"
    yield "slowest step", times.slowest, f"{steps}, delivering {times.delivering:.1f} s more"
    rate = f"{report.events_per_s:,.0f} events/s from the first to the last"
    yield "elapsed", f"{times.elapsed:.1f} s", rate
