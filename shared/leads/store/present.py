"""Where leads stand now: the stored state and stage, and their bytes.

In: lead ids. Out: `Present`, or only the stage. Nothing is locked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from shared.errors import Invalid
from shared.ids import LeadId
from shared.scoring.engine.state import LeadState, decode
from shared.scoring.engine.transitions import StageState

_ledger_encoder: Final = msgspec.json.Encoder()
_ledger_decoder: Final = msgspec.json.Decoder(StageState)

# A state of another layout is nobody's fault: it is current under no model, so the lead is refolded.
_UNREADABLE: Final = LeadState(fold_key="unreadable", events=1)

_LEDGERS: Final = "SELECT lead_id, ledger FROM leads WHERE lead_id = ANY($1::uuid[])"
_PRESENT: Final = "SELECT state, ledger FROM leads WHERE lead_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is stored of one lead: what its score comes from, and where it stands."""

    state: LeadState
    ledger: StageState


async def present(connection: Any, lead: LeadId) -> Present:
    """The lead as it was last written."""
    row = await connection.fetchrow(_PRESENT, lead)
    return Present(state=decode_state(row["state"]), ledger=decode_ledger(row["ledger"]))


async def ledgers(connection: Any, ids: Iterable[LeadId]) -> dict[LeadId, StageState]:
    """Where these leads stand, without a lock: a third of the cost of reading them whole."""
    rows = await connection.fetch(_LEDGERS, list(ids))
    return {LeadId(row["lead_id"]): decode_ledger(row["ledger"]) for row in rows}


def decode_state(stored: bytes) -> LeadState:
    """The state in these bytes; what cannot be read is current under no model, so that it is refolded."""
    try:
        return decode(stored)
    except Invalid:
        return _UNREADABLE


def encode_ledger(ledger: StageState) -> bytes:
    """The ledger as it is stored."""
    return _ledger_encoder.encode(ledger)


def decode_ledger(stored: bytes) -> StageState:
    """The ledger in these bytes."""
    return _ledger_decoder.decode(stored)
