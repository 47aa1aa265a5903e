"""The table at the end of a demo run."""

import json
from dataclasses import replace

from rich.console import Console

from services.cli.demo.report import Report, Sent, Times, table
from services.cli.demo.watch import Deliveries, Intake, Tally

COMPLETE = Report(
    run="r1",
    sent=Sent(calls=90, mails=8, forms=2, refused=0),
    intake=Intake(accepted=100, rejected=0),
    tally=Tally(counted=97, duplicate=0, quarantined=3, dead_lettered=0),
    leads={"visitor": 40, "mql": 5},
    deliveries=Deliveries(unplanned=0, states={"sales-queue": {"delivered": 5}}),
    times=Times(sending=2.0, counting=7.5, delivering=0.5),
)


def _shown(report: Report) -> str:
    console = Console(width=140, record=True, quiet=True)
    with console.capture() as captured:
        console.quiet = False
        console.print(table(report))
    return captured.get()


def test_a_complete_run_has_no_shortfall() -> None:
    """When everything accepted is counted and delivered, nothing is reported missing."""
    assert COMPLETE.shortfalls() == []
    assert "Not complete" not in _shown(COMPLETE)


def test_the_table_tells_the_run() -> None:
    """Sent, accepted, counted, stages, deliveries, slowest step and rate are all in the table."""
    shown = _shown(COMPLETE)
    for words in (
        "90 by the Segment SDK",
        "97",
        "mql",
        "sales-queue: 5 delivered",
        "counting",
        "10 events/s",
    ):
        assert words in shown


def test_the_slowest_step_is_the_one_waited_for_longest() -> None:
    """The slowest step is measured, not assumed."""
    assert COMPLETE.times.slowest == "counting"
    assert replace(COMPLETE.times, sending=8.0).slowest == "sending"
    assert replace(COMPLETE.times, delivering=8.0).slowest == "delivering"


def test_each_shortfall_is_said() -> None:
    """Refused, uncounted, unplanned and undelivered events are each named, with where to look."""
    short = replace(
        COMPLETE,
        sent=replace(COMPLETE.sent, refused=4),
        tally=replace(COMPLETE.tally, counted=90),
        deliveries=Deliveries(unplanned=2, states={"crm": {"pending": 3, "claimed": 1}}),
    )
    said = " ".join(short.shortfalls())
    assert len(short.shortfalls()) == 4
    for words in ("4 events were refused", "7 accepted events", "2 transitions", "4 deliveries"):
        assert words in said
    assert _shown(short).count("Not complete") == 4


def test_dead_letters_are_processed_but_visible() -> None:
    """An event that went to the dead letters is not missing, and has its own line."""
    dead = replace(COMPLETE, tally=replace(COMPLETE.tally, counted=95, dead_lettered=2))
    assert dead.shortfalls() == []
    assert "dead-lettered" in _shown(dead)


def test_json_has_everything() -> None:
    """The dict is plain JSON with every number of the table."""
    told = json.loads(json.dumps(COMPLETE.as_dict()))
    assert told["sent"]["events"] == 100
    assert told["accepted"] == 100
    assert told["counted"] + told["quarantined"] == 100
    assert told["deliveries"] == {"sales-queue": {"delivered": 5}}
    assert told["seconds"]["elapsed"] == 10.0
    assert told["slowest_step"] == "counting"
    assert told["shortfalls"] == []
