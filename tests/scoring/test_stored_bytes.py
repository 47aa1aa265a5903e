"""Bytes that earlier versions stored still mean the same: events, states, ledgers, model versions.

tests/scoring/stored/ was written by the code of 2026-11-27, before the engine was moved into rooms. It is
never written anew: what a new version stores goes into a file beside it.
"""

import json
from base64 import b64decode
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from shared.codec import decode as decode_event
from shared.codec import encode
from shared.scoring.engine.fold import refold
from shared.scoring.engine.score import evaluate
from shared.scoring.engine.state import decode
from shared.scoring.engine.transitions import StageState
from shared.scoring.file.read import load_model

STORED: Final = Path(__file__).parent / "stored"
DATA: Final[dict[str, Any]] = json.loads((STORED / "stored.json").read_text())
FOR_EACH: Final[dict[str, Any]] = json.loads((STORED / "stored_for_each.json").read_text())
"""What the first code with limits for each value of a field stored, 2026-11-28"""
CONSENT: Final[dict[str, Any]] = json.loads((STORED / "stored_consent.json").read_text())
"""What the first code with consent and objections stored, 2026-11-28"""


def test_stored_events_decode_and_encode_to_the_same_bytes() -> None:
    """History is kept for ever, and so is its format."""
    for text in (*DATA["events"], *FOR_EACH["events"], *CONSENT["events"]):
        body = b64decode(text)
        assert encode(decode_event(body)) == body


@pytest.mark.parametrize(
    ("stored", "events"),
    [(stored, data["events"]) for data in (DATA, FOR_EACH, CONSENT) for stored in data["models"]],
    ids=lambda part: part["model"] if isinstance(part, dict) else "",
)
def test_a_stored_version_scores_as_it_did(stored: dict[str, Any], events: list[str]) -> None:
    """The same key, the same state from the same history, the same score and receipt from that state."""
    lists = {name: frozenset(values) for name, values in stored["lists"].items()}
    model = load_model((STORED / stored["model"]).read_text(), file=stored["model"], lists=lists)
    state = decode(b64decode(stored["state"]))
    history = [decode_event(b64decode(text)) for text in events]

    assert state.fold_key == stored["fold_key"] == refold(model, history).fold_key
    assert refold(model, history).encode() == b64decode(stored["state"])
    assert (
        json.loads(msgspec.json.encode(evaluate(model, state, datetime.fromisoformat(stored["as_of"]))))
        == (stored["score"])
    )


def test_stored_ledgers_decode() -> None:
    """Where a lead stands is kept as JSON, with and without a hold; what is not there takes no bytes."""
    ledgers = [msgspec.json.decode(text, type=StageState) for text in DATA["ledgers"]]
    assert [(one.stage, one.sequence, one.held_until is None) for one in ledgers] == [
        ("mql", 3, True),
        ("recycled", 9, False),
    ]
    anew = [msgspec.json.encode(one) for one in ledgers]
    assert [msgspec.json.decode(each, type=StageState) for each in anew] == ledgers
    assert [each.decode() for each in anew] == [
        text.replace(',"held_until":null', "") for text in DATA["ledgers"]
    ]
