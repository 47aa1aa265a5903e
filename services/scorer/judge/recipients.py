"""A click in a mail → who of which company clicked, by keyed hashes (pure).

In: an event, the rules of identity, private domains. Out: `Click`, or None. Refuses private addresses:
thousands who have one at the same provider click in the same second.
"""

import hashlib
from collections.abc import Set as AbstractSet

from services.scorer.store.domain_clicks import Click
from shared.events import Event
from shared.ids import LeadId
from shared.leads.identifiers import IdentityRules, wrapped


def click_of(event: Event, lead: LeadId, rules: IdentityRules, private: AbstractSet[str]) -> Click | None:
    """Who clicked; None for who has no business address."""
    recipient = rules.address(event.email) if event.email else None
    if event.email is None or recipient is None:
        return None
    domain = rules.normal_address(event.email).rpartition("@")[2]
    if domain in private:
        return None
    return Click(
        event_id=event.event_id,
        domain=wrapped(_hash(domain, rules.key), rules.later),
        recipient=recipient.value,
        lead=lead,
        at=event.occurred_at,
    )


def _hash(domain: str, key: bytes) -> bytes:
    return hashlib.blake2b(domain.encode(), digest_size=16, key=key[:64], person=b"domain").digest()
