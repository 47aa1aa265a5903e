"""What a source adapter understood of one wire item, before anything is checked.

In: values as they came. Out: `Draft`, and `Arrival` for what all items of a request share.
Validate.py decides what may become an event.
"""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.registry import Source
from shared.events import Kind


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """How and when a request came.

    ip:          the client's address, whole; empty where the sender asked us to forget it
    user_agent:  of the client that sent it
    anonymous:   the person's browser asks not to be followed (Global Privacy Control, SP-Anonymous)
    by_server:   a server of the company's may have sent it: a call with a secret key, a form that says so
    """

    source: Source
    received_at: datetime
    ip: str = ""
    user_agent: str = ""
    anonymous: bool = False
    by_server: bool = False


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One item, its parts found but not checked: whatever JSON can hold may be in them.

    name:         of the event
    kind:         where the item itself says it; else its source does
    message_id:   the sender's own id of this message
    fingerprint:  where the sender has no ids: what makes a resent copy the same event
    occurred:     when it happened by the sender's clock
    sent:         when it was sent by the same clock
    collected:    when another collector received what was sent then, and passed it on
    emails:       places an address of this person may be, the surest first
    machine:      why no person did this, if the source says so
    extra:        fields nobody knows
    """

    name: Any
    kind: Kind | None = None
    message_id: Any = None
    fingerprint: str = ""
    occurred: Any = None
    sent: Any = None
    collected: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    previous_id: Any = None
    account_id: Any = None
    emails: tuple[Any, ...] = ()
    traits: Any = None
    properties: Any = None
    context: Any = None
    consent: dict[str, bool] | None = None
    machine: str = ""
    extra: dict[str, Any] = {}
