"""What a backtest found, in sentences (pure).

In: the `Board` and the `Comparison`. Out: what was assumed, what it says, what speaks against it.
Refuses to let figures stand without their doubts: too few conversions, scores too good to be true, a history
that came late, are said beside them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from services.cli.model.backtest.board import Board
from services.cli.model.backtest.compare import ODOO, SHUFFLED, Comparison, Quality
from services.cli.model.backtest.snapshots import Question
from shared.scoring.definition.durations import duration_words

FEW: Final = 20
_TOO_GOOD: Final = 0.95
_MUCH_LATE: Final = 0.2


def assumptions(board: Board, comparison: Comparison) -> Iterator[str]:
    """What was looked at, and what was taken as known."""
    question = board.question
    moments_s = board.moments_s()
    yield (
        f"{board.leads:,} {_who(question)} at {len(board.cutoffs):,} cut-offs, every "
        f"{duration_words(question.every_s)} from {_day(moments_s[0])} to {_day(moments_s[-1])}: "
        f"{board.snapshots:,} snapshots, from {board.events:,} events."
    )
    yield (
        f"Converted: {question.outcome} {said_by(question)} within {duration_words(question.horizon_s)} "
        f"after the cut-off; {board.converters:,} leads did. A lead takes part until it converts."
    )
    yield (
        "An event counts as known when it occurred (--imported), though it may have been received later."
        if question.imported
        else "An event counts as known when it had been received."
    )
    yield f"{ODOO}'s method learns anew at each cut-off. {_lost(question, comparison)}"


def findings(comparison: Comparison, capacity: int) -> Iterator[str]:
    """What the figures say about the first model."""
    first, *others = comparison.orders
    for other in others:
        if other.name != SHUFFLED and other.ahead and first.auc is not None and other.auc is not None:
            yield _against(first, other)
    if comparison.line is None:
        yield f"There were never {capacity:,} leads at a cut-off: sales can work all of them, without a line."
    else:
        yield (
            f"A line at {comparison.line} fills the capacity of {capacity:,} leads: the last of them had "
            "that score at the median cut-off."
        )


def doubts(board: Board, comparison: Comparison) -> Iterator[str]:
    """Why not to believe the figures."""
    if board.converters < FEW:
        yield (
            f"Only {board.converters} leads converted. With fewer than {FEW} the figures may be chance; "
            "the intervals say how much."
        )
    for order in comparison.orders[: len(board.question.models)]:
        if order.auc is not None and order.auc > _TOO_GOOD:
            yield (
                f"{order.name}: an AUC of {order.auc:.2f} is too good. Is a rule paid by what sales enters "
                "after the fact?"
            )
    late = board.late / board.events
    if late > _MUCH_LATE and not board.question.imported:
        yield (
            f"{late:.0%} of the events came more than a day after they occurred, and were not known until "
            "then. If history was imported, --imported takes them as known when they occurred."
        )
    if unknowing := len(board.cutoffs) - comparison.odoo_knew:
        yield (
            f"{ODOO}'s method had nobody won or lost to learn from at {unknowing:,} of "
            f"{len(board.cutoffs):,} cut-offs; there it orders nobody."
        )


def _against(first: Quality, other: Quality) -> str:
    assert other.ahead is not None
    low, high = other.ahead
    figures = f"AUC {first.auc:.2f} against {other.auc:.2f}, difference {low:+.2f} to {high:+.2f}"
    if low > 0:
        return f"{first.name} finds converters better than {other.name}: {figures}."
    if high < 0:
        return f"{other.name} finds converters better than {first.name}: {figures}. Points lose."
    return f"{first.name} and {other.name} cannot be told apart with this much history: {figures}."


def _who(question: Question) -> str:
    return "leads and visitors" if question.visitors else "known leads"


def said_by(question: Question) -> str:
    """Whose word counts for the outcome."""
    return "from a CRM" if question.kinds == {"crm"} else "from any source"


def _lost(question: Question, comparison: Comparison) -> str:
    if comparison.lost_said:
        return "Lost are those of whom the CRM said so."
    return (
        "No CRM said that a lead was lost: lost is who went without the outcome for "
        f"{duration_words(question.horizon_s)}."
    )


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")
