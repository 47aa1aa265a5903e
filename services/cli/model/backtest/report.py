"""A backtest → tables for people, a dict for programs (pure).

In: the `Board`, the `Comparison`, what was asked. Out: rich tables, or plain values.
Refuses to round a missing figure to 0: what there is nothing to tell about is a dash, or null.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from services.cli.model.backtest import words
from services.cli.model.backtest.board import Board
from services.cli.model.backtest.compare import PERCENTS, Comparison, Quality, RuleLift
from services.cli.model.backtest.quality import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One backtest."""

    board: Board
    comparison: Comparison
    capacity: int

    def as_dict(self) -> dict[str, Any]:
        """Everything, for programs."""
        board, question = self.board, self.board.question
        return {
            "outcome": question.outcome,
            "outcome_kinds": sorted(question.kinds),
            "horizon_s": question.horizon_s,
            "every_s": question.every_s,
            "as_of_s": question.as_of_s,
            "imported": question.imported,
            "visitors": question.visitors,
            "capacity": self.capacity,
            "cutoffs_s": list(board.moments_s()),
            "leads": board.leads,
            "converters": board.converters,
            "snapshots": board.snapshots,
            "positives": sum(sum(cutoff.won) for cutoff in board.in_order()),
            "events": board.events,
            "late_events": board.late,
            "base_rate": self.comparison.base_rate,
            "orders": [_order(each) for each in self.comparison.orders],
            "rules": [{**asdict(rule), "lift": rule.lift} for rule in self.comparison.rules],
            "line": self.comparison.line,
            "assumptions": list(words.assumptions(board, self.comparison)),
            "findings": list(words.findings(self.comparison, self.capacity)),
            "doubts": list(words.doubts(board, self.comparison)),
        }

    def for_people(self) -> Group:
        """Everything, for people."""
        board, comparison = self.board, self.comparison
        return Group(
            *map(Text, words.assumptions(board, comparison)),
            "",
            _orders(comparison, self.capacity),
            "",
            *map(Text, words.findings(comparison, self.capacity)),
            *(Text(f"Doubt: {each}", style="bold red") for each in words.doubts(board, comparison)),
            "",
            _rules(comparison.rules, comparison.orders[0].name),
        )


def _order(order: Quality) -> dict[str, Any]:
    return {
        **asdict(order),
        "interval": _plain(order.interval),
        "ahead": _plain(order.ahead),
    }


def _plain(interval: Interval | None) -> dict[str, float] | None:
    return interval._asdict() if interval else None


def _orders(comparison: Comparison, capacity: int) -> Table:
    """A column per order of leads, a row per figure."""
    table = Table(title="Who comes first?", title_justify="left", box=None, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for order in comparison.orders:
        # As wide as an interval, which must not be cut off; a name may take several lines.
        table.add_column(Text(order.name, overflow="fold"), justify="right", min_width=9)
    for name, values in _lines(comparison, capacity):
        table.add_row(name, *values)
    table.caption = f"base rate {_percent(comparison.base_rate)}: this share of all snapshots converted"
    table.caption_justify = "left"
    return table


def _lines(comparison: Comparison, capacity: int) -> Iterator[tuple[str, Sequence[str]]]:
    orders = comparison.orders
    yield "AUC", [_number(order.auc) for order in orders]
    yield "  95 % interval", [_interval(order.interval) for order in orders]
    for percent in PERCENTS:
        yield f"lift, best {percent} %", [_times(order.lift[percent]) for order in orders]
    for percent in PERCENTS:
        yield f"precision, best {percent} %", [_percent(order.precision[percent]) for order in orders]
    yield f"precision, first {capacity:,}", [_percent(order.at_capacity) for order in orders]


def _rules(rules: Sequence[RuleLift], model: str) -> Table:
    """A row per rule, those whose leads converted most often first."""
    table = Table(
        *("Rule", "Snapshots", "Converted", "Otherwise", "Lift"),
        title=f"Rules of {model}: does it matter whether one is worth a point?",
        title_justify="left",
        box=SIMPLE,
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for rule in sorted(rules, key=lambda each: (each.converted is None, -(each.converted or 0), each.rule)):
        table.add_row(
            Text(rule.rule),
            f"{rule.snapshots:,}",
            _percent(rule.converted),
            _percent(rule.otherwise),
            _times(rule.lift),
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _interval(value: Interval | None) -> str:
    return "-" if value is None else f"{value.low:.2f}\N{EN DASH}{value.high:.2f}"
