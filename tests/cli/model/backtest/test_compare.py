"""The whole comparison on synthetic worlds in which the truth is known."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import msgspec
import pytest

from services.cli.model.backtest import words
from services.cli.model.backtest.board import Board
from services.cli.model.backtest.compare import ODOO, RECENCY, SHUFFLED, Comparison, Quality, compare
from services.cli.model.backtest.crm_view import CrmView
from services.cli.model.backtest.quality import Interval
from services.cli.model.backtest.report import Report
from services.cli.model.backtest.snapshots import Decision, Lived, Question, Snapshot, lived
from shared.events import Event
from shared.scoring.engine.compiled import Compiled
from tests.cli.model.backtest.histories import MONDAY, NOISE, SIGNAL, WEEK, event, question, won
from tests.scoring import small

NOBODY = CrmView("", "", "", "", "", "", "lead")


def asked(*models: Compiled, **changed: object) -> Question:
    return question(models or [SIGNAL, NOISE], as_of_s=(MONDAY + 20 * WEEK).timestamp(), **changed)


def compared(histories: Iterable[Sequence[Event]], of: Question, capacity: int = 10) -> Report:
    board = Board(question=of)
    for history in histories:
        board.add(lived(history, of))
    comparison = compare(board, ["signal", "noise"][: len(of.models)], ["signal"], capacity)
    return Report(board=board, comparison=comparison, capacity=capacity)


def order(report: Report, name: str) -> Quality:
    return next(each for each in report.comparison.orders if each.name == name)


def moment(chance: Random, weeks: float = 20) -> datetime:
    return MONDAY + timedelta(seconds=chance.random() * weeks * WEEK.total_seconds())


def world(seed: int, leads: int = 300) -> list[list[Event]]:
    """A third shows the signal and wins within five days; everybody makes noise at any time."""
    chance = Random(seed)
    made = []
    for number in range(leads):
        country = "DE" if number % 2 else "AT"
        history = [event("hello", MONDAY, traits={"country": country})]
        history += [event("noise", moment(chance)) for _ in range(chance.randrange(6))]
        if number % 3 == 0:
            # Just before a cut-off, so that the signal is seen in time.
            at = MONDAY + chance.randrange(1, 18) * WEEK - timedelta(hours=3)
            history += [event("signal", at), won(at + timedelta(days=chance.randrange(1, 6)))]
        made.append(history)
    return made


def null_log(seed: int) -> list[list[Event]]:
    """Signals, noise and wins dealt out among leads by chance: nothing can be known."""
    chance = Random(seed)
    made: list[list[Event]] = [
        [event("hello", MONDAY, traits={"country": chance.choice(("DE", "AT", "CH"))})] for _ in range(600)
    ]
    for _ in range(4000):
        chance.choice(made).append(event(chance.choice(("signal", "noise")), moment(chance)))
    for _ in range(500):
        chance.choice(made).append(won(moment(chance)))
    return made


def test_who_pays_the_signal_finds_the_converters() -> None:
    """AUC near 1 for the model that pays the signal, about 0.5 for the one that pays noise."""
    report = compared(world(1), asked(horizon_s=6 * 86_400.0))
    signal, noise = order(report, "signal"), order(report, "noise")
    assert (signal.auc or 0) > 0.97
    assert 0.4 < (noise.auc or 0) < 0.6
    assert 0.45 < (order(report, SHUFFLED).auc or 0) < 0.55
    assert noise.ahead is not None
    assert noise.ahead.low > 0.3
    assert (signal.lift[10] or 0) > 5
    (rule,) = report.comparison.rules
    assert (rule.converted, rule.otherwise) == (1, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_where_nothing_can_be_known_nothing_is_found(seed: int) -> None:
    """Leak canary: on a log with shuffled ids every order has an AUC of 0.45 to 0.55."""
    report = compared(null_log(seed), asked())
    assert report.board.converters > 200
    assert {
        each.name: each.auc for each in report.comparison.orders if not 0.45 <= (each.auc or 0) <= 0.55
    } == {}


def test_a_win_received_late_does_not_leak_into_the_score() -> None:
    """A rule that pays the win itself is worth nothing: no snapshot follows a win, whenever it arrives."""
    paid = small.model(engagement=small.rule("signal", "event: [deal.won, deal.created], points: 50"))
    history = [won(MONDAY + 3 * WEEK, late=late * WEEK) for late in (0, 1, 5)]
    histories = [[event("hello", MONDAY), each] for each in history]
    report = compared([*histories, [event("hello", MONDAY)]], asked(paid, imported=True))
    assert order(report, "signal").auc == 0.5
    report = compared([*histories, [event("hello", MONDAY)]], asked(paid))
    assert order(report, "signal").auc == 0.5


def test_odoos_method_learns_from_what_was_decided_before() -> None:
    """Leads from one country win, those from the other are lost: known once some were decided, not before."""
    histories = []
    for number in range(60):
        country, name = ("DE", "deal.won") if number % 2 else ("AT", "deal.lost")
        at = MONDAY + timedelta(weeks=1 + number // 6, hours=1)
        histories.append([event("hello", MONDAY, traits={"country": country}), event(name, at, kind="crm")])
    report = compared(histories, asked())
    assert report.comparison.lost_said
    assert (order(report, ODOO).auc or 0) > 0.8
    assert report.comparison.odoo_knew == len(report.board.cutoffs) - 2
    assert any("nobody won or lost to learn from at 2 of" in each for each in report.as_dict()["doubts"])


def test_odoos_method_takes_silence_for_lost_where_no_crm_says_so() -> None:
    """Without a single loss in the log, a horizon without the outcome counts as lost; the report says so."""
    report = compared(world(2), asked())
    assert not report.comparison.lost_said
    assert any("No CRM said that a lead was lost" in each for each in report.as_dict()["assumptions"])
    assert report.comparison.odoo_knew > 10


def test_recency_puts_the_newest_first() -> None:
    """Who acted last comes first; here they convert."""
    histories = [
        [
            event("hello", MONDAY + timedelta(hours=number)),
            *([won(MONDAY + 1.5 * WEEK)] if number > 5 else []),
        ]
        for number in range(10)
    ]
    assert order(compared(histories, asked()), RECENCY).auc == 1


def test_the_line_is_the_score_of_the_last_who_fits() -> None:
    """Of five leads with 10 to 50 points, capacity for two: the line is 40; for nine there is none."""
    histories = [[event("signal", MONDAY) for _ in range(number)] for number in range(1, 6)]
    histories[0].append(won(MONDAY + 19 * WEEK))
    assert compared(histories, asked(), capacity=2).comparison.line == 40
    few = compared(histories, asked(), capacity=9)
    assert few.comparison.line is None
    assert "never 9 leads" in " ".join(few.as_dict()["findings"])


def test_the_report_says_which_doubts_there_are() -> None:
    """Too few conversions, too good an AUC, a history that came late."""
    histories = [
        [event("signal", MONDAY, late=timedelta(days=2)), won(MONDAY + 3 * WEEK)],
        [event("hello", MONDAY)],
    ]
    doubts = " ".join(compared(histories, asked()).as_dict()["doubts"])
    assert "Only 1 leads converted" in doubts
    assert "too good" in doubts
    assert "--imported" in doubts
    calm = compared([[replaced(one) for one in history] for history in world(3)], asked()).as_dict()["doubts"]
    assert "--imported" not in " ".join(calm)
    assert "Only" not in " ".join(calm)


def replaced(one: Event) -> Event:
    return msgspec.structs.replace(one, received_at=one.occurred_at)


def test_a_baseline_that_does_better_is_said_in_words() -> None:
    """Points that lose are told to lose; what cannot be told apart is told so too."""
    report = compared(world(4), asked())
    ours, noise, *_ = report.comparison.orders
    swapped = replace(
        report.comparison,
        orders=[noise, replace(ours, name=RECENCY, ahead=Interval(-0.5, -0.3))],
    )
    assert f"{RECENCY} finds converters better than noise" in " ".join(words.findings(swapped, 10))
    assert "Points lose" in " ".join(words.findings(swapped, 10))
    close = replace(report.comparison, orders=[ours, replace(noise, ahead=Interval(-0.1, 0.1))])
    assert "cannot be told apart" in " ".join(words.findings(close, 10))


def test_a_reopened_lead_counts_as_what_it_became() -> None:
    """Lost, then won: Odoo's method counts it once, as won."""
    of = asked()
    board = Board(question=of)
    at_s = of.moment_s(next(iter(of.cutoffs(MONDAY.timestamp()))))
    good, bad = NOBODY._replace(country="de"), NOBODY._replace(country="at")
    board.add(
        Lived(events=1, late=0, decisions=[Decision(at_s - 9, "lost", good), Decision(at_s - 5, "won", good)])
    )
    board.add(Lived(events=1, late=0, decisions=[Decision(at_s - 5, "lost", bad)]))
    cutoff = next(iter(of.cutoffs(at_s)))
    for crm, converted in ((good, True), (bad, False)):
        seen = Snapshot(cutoff=cutoff, converted=converted, scores=(0, 0), rules=(), idle_s=0, crm=crm)
        board.add(Lived(events=1, late=0, snapshots=[seen]))
    comparison: Comparison = compare(board, ["a", "b"], [], 1)
    odoo = next(each for each in comparison.orders if each.name == ODOO)
    assert odoo.auc == 1
