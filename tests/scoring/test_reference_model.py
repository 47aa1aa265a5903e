"""The model that ships: it loads, and the first lead of the tutorial goes the way the guide says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.scorer.models import model_source
from shared.events import Event, Kind
from shared.ids import EventId
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import fold
from shared.scoring.engine.score import evaluate
from shared.scoring.engine.state import EMPTY
from shared.scoring.engine.transitions import after, decide, initial
from shared.scoring.file.lists import list_values

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def load(name: str) -> Compiled:
    return model_source.read(CONFIG / name).model


def event(number: int, name: str, kind: Kind, **details: Any) -> Event:
    at = NOW + timedelta(seconds=number)
    return Event(
        event_id=EventId(UUID(int=number)),
        source="website",
        kind=kind,
        name=name,
        occurred_at=at,
        received_at=at,
        **details,
    )


def test_the_way_of_the_first_lead() -> None:
    """Two looks at the prices, a demo request, a click: visitor, lead and MQL, then SQL."""
    model = load("scoring.yaml")
    state, standing = EMPTY, initial(NOW)
    path = []
    for each in (
        event(1, "page.viewed", "web", anonymous_id="a", properties={"path": "/pricing"}),
        event(2, "page.viewed", "web", anonymous_id="a", context={"page": {"path": "/pricing"}}),
        event(
            3,
            "form.submitted",
            "form",
            email="anna@firma.example",
            properties={"form": "demo-request"},
            traits={"company": "Firma GmbH"},
        ),
        event(4, "email.clicked", "email", email="anna@firma.example"),
    ):
        folded = fold(model, state, each)
        assert folded is not None
        state = folded
        score = evaluate(model, state, each.occurred_at)
        moves = decide(
            model,
            standing,
            score,
            profile=state.profile,
            known=each.email is not None,
            event=each,
            now=each.occurred_at,
        )
        standing = after(standing, moves)
        path.append((each.name, [move.stage for move in moves]))
        assert sum(line.points for line in score.contributions) == score.total
    assert path == [
        ("page.viewed", []),
        ("page.viewed", []),
        ("form.submitted", ["lead", "mql"]),
        ("email.clicked", ["sql"]),
    ]
    assert standing.sequence == 3


@pytest.mark.parametrize("name", ["free-mail", "competitors"])
def test_the_lists_that_ship_hold_domains(name: str) -> None:
    """Each line of a list file is one domain; comments are not values."""
    values = list_values((CONFIG / "lists" / f"{name}.txt").read_text())
    assert values
    assert all("." in value and " " not in value for value in values)
