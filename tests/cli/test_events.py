"""`leadscore events list|quarantine|release`, on a real database."""

import json

import pytest

from shared.errors import Invalid
from shared.events import Machine
from shared.ids import event_id
from tests.cli.lead.test_who_is_who import Told, run, shown, told
from tests.scorer.identity.people import seen

__all__ = ["told"]

FORM, BOT = event_id("product", "m1"), event_id("product", "m2")


@pytest.fixture
def ada(told: Told) -> str:
    """Somebody with a form that counts and one that a machine sent."""
    told(
        seen(1, user_id="u1", name="form.submitted", properties={"form": "demo-request"}),
        seen(2, user_id="u1", name="form.submitted", machine=Machine(reason="honeypot")),
        seen(3, user_id="undefined"),
    )
    return "u1"


def test_lead_show_names_the_command_that_releases(ada: str) -> None:
    """Why an event does not count, and what changes that; the command then does what it says."""
    command = f"leadscore events release {BOT}"
    assert command in run("lead", "show", ada).replace("\n", "")
    before = shown(ada)["score"]
    assert shown(ada)["lead"] in run(*command.split()[1:])
    assert shown(ada)["quarantined"] == []
    assert len(shown(ada)["timeline"]) == 2
    assert shown(ada)["score"] >= before


def test_an_event_is_quarantined_with_a_reason(ada: str) -> None:
    """Its points are gone; the list says who said so and why."""
    assert shown(ada)["score"] > 0
    said = run("events", "quarantine", str(FORM), "--reason", "a test of ours", "--by", "sam")
    assert shown(ada)["lead"] in said
    assert "scorer." not in said, "log lines of the services are among the words of the command"
    assert shown(ada)["score"] == 0
    assert "(sam: a test of ours)" in run("events", "list", ada)
    listed = json.loads(run("events", "list", ada, "--quarantined", "--json"))
    assert [one["event_id"] for one in listed] == [str(BOT), str(FORM)]


def test_an_empty_list_says_so(told: Told) -> None:
    """Where nothing was quarantined."""
    told(seen(1, user_id="u1"))
    assert "there is no such event" in run("events", "list", "u1", "--quarantined")


def test_events_of_nobody_are_listed(ada: str) -> None:
    """With the reason; a lead and nobody at once is no question."""
    assert "it names nobody" in run("events", "list", "--nobody")
    for argv in ([], [ada, "--nobody"]):
        with pytest.raises(Invalid, match="either a lead or --nobody"):
            run("events", "list", *argv)


def test_what_is_no_id_is_refused(ada: str) -> None:
    """With where ids are found."""
    with pytest.raises(Invalid, match="leadscore events list"):
        run("events", "release", "the-last-one")
