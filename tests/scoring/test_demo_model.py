"""The demo's model on the demo's shop: a realistic share of the visitors qualifies."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.cli.demo import calls, forms, people, rows
from shared.events import Event, Kind
from shared.ids import EventId
from shared.scoring.engine.fold import refold
from shared.scoring.engine.score import evaluate
from shared.scoring.engine.transitions import decide, initial
from tests.scoring.test_reference_model import load

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SEED = 7
Act = tuple[str, Kind, str, datetime, dict[str, Any]]
"""Visitor, kind, event name, time, everything else."""


def acts(shop: list[rows.Row], known: dict[str, people.Shopper]) -> Iterator[Act]:
    """What the visitors of the shop do, as the demo sends it."""
    run = calls.Run.ending(NOW, shop, "test")
    for row in shop:
        person = known.get(row.visitor)
        if person and person.known_at == row.number:
            yield row.visitor, "web", "person.identified", row.at + run.shift, {"traits": dict(person.traits)}
    visitors = [row.visitor for row in shop]
    for call in calls.calls(shop, {}, run):
        path = call.arguments["context"]["page"]["path"]
        name = "page.viewed" if call.method == "page" else call.arguments["event"]
        yield visitors.pop(0), "web", name, call.at, {"context": {"page": {"path": path}}}
    owners = {person.email: visitor for visitor, person in known.items()}
    for submit in forms.submits(shop, known, run, SEED):
        email = submit.fields["email"]
        if email in owners:
            yield owners[email], "form", "form.submitted", NOW, {"properties": {"form": submit.form}}


def test_a_realistic_share_of_the_demo_qualifies() -> None:
    """Of 600 visitors 8 to 20 in a hundred end as MQL and 2 to 6 as SQL; most stay anonymous or leads."""
    model = load("scoring.demo.yaml")
    shop = rows.read()
    known = people.people(shop, SEED)
    events: dict[str, list[Event]] = defaultdict(list)
    for number, (visitor, kind, name, at, details) in enumerate(acts(shop, known)):
        event_id = EventId(UUID(int=number))
        events[visitor].append(
            Event(
                event_id=event_id,
                source="demo",
                kind=kind,
                name=name,
                occurred_at=at,
                received_at=NOW,
                **details,
            )
        )
    ends: Counter[str] = Counter()
    for visitor, theirs in events.items():
        state = refold(model, theirs)
        score = evaluate(model, state, NOW)
        moves = decide(
            model,
            initial(NOW),
            score,
            profile=state.profile,
            known=visitor in known,
            event=None,
            now=NOW,
        )
        ends[moves[-1].stage if moves else "visitor"] += 1
    assert sum(ends.values()) == 600
    assert 48 <= ends["mql"] <= 120, ends
    assert 12 <= ends["sql"] <= 36, ends
