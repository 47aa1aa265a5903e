"""What the demo's e-mail provider reports."""

from collections import Counter
from datetime import UTC, datetime

from services.cli.demo.calls import Run
from services.cli.demo.mails import Mailed, mails
from services.cli.demo.people import people
from services.cli.demo.rows import Row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEED = 1


def _all(rows: list[Row]) -> list[Mailed]:
    return mails(rows, people(rows, SEED), Run.ending(NOW, rows, "r"), SEED)


def test_delivered_opened_clicked(rows: list[Row]) -> None:
    """All kinds occur, fewer mails are opened than delivered, and fewer clicked than opened by people."""
    kinds = Counter(mail.event["event"] for mail in _all(rows))
    opened = sum(mail.event["event"] == "open" and not mail.event["sg_machine_open"] for mail in _all(rows))
    assert kinds["delivered"] > opened > kinds["click"] > 50
    assert kinds["bounce"] > 0
    assert kinds["unsubscribe"] > 0


def test_machine_opens_are_marked(rows: list[Row]) -> None:
    """Opens by a mail program are marked, come right after the delivery, and are not all of the opens."""
    delivered = {
        mail.event["sg_message_id"]: mail.at for mail in _all(rows) if mail.event["event"] == "delivered"
    }
    opens = [mail for mail in _all(rows) if mail.event["event"] == "open"]
    machine = [mail for mail in opens if mail.event["sg_machine_open"]]
    assert 0 < len(machine) < len(opens)
    assert all((mail.at - delivered[mail.event["sg_message_id"]]).total_seconds() <= 5 for mail in machine)


def test_only_who_is_known_gets_mail(rows: list[Row]) -> None:
    """No mail precedes the moment its reader became known, and none lies in the future."""
    found = people(rows, SEED)
    run = Run.ending(NOW, rows, "r")
    known_from = {
        found[row.visitor].email: row.at + run.shift
        for row in rows
        if found.get(row.visitor) and found[row.visitor].known_at == row.number
    }
    assert all(known_from[mail.event["email"]] <= mail.at <= NOW for mail in _all(rows))


def test_event_ids_are_unique(rows: list[Row]) -> None:
    """SendGrid's event ids are unique within a run and short enough for ingest."""
    ids = [mail.event["sg_event_id"] for mail in _all(rows)]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= 100


def test_no_rows_no_mail() -> None:
    """An empty selection reports nothing."""
    assert mails([], {}, Run.ending(NOW, [], "r"), SEED) == []


def test_nothing_is_reported_before_it_happens(rows: list[Row]) -> None:
    """Right after somebody became known, nothing is reported yet of the mail they will get."""
    found = people(rows, SEED)
    first = min(found.values(), key=lambda person: person.known_at)
    until_then = rows[: first.known_at + 1]
    assert mails(until_then, found, Run.ending(NOW, until_then, "r"), SEED) == []
