"""Every reason to refuse, and the HTTP status that tells the sender's SDK what to do about it.

In: a code. Out: its status. Refuses a code that is not in the table: metrics use the codes as a label,
so the set is closed.

What SDKs do with a status decides it: they drop what got a 4xx and resend what got a 429 or 5xx.
"""

from types import MappingProxyType
from typing import Final

from shared.errors import Transient

KEY: Final = MappingProxyType({"unauthorized": 401, "origin_not_allowed": 403})
"""Who sends with a key."""

SIGNATURE: Final = MappingProxyType({"invalid_signature": 401, "stale_signature": 401})
"""Who sends a webhook."""

ADDRESS: Final = MappingProxyType({"not_found": 404, "method_not_allowed": 405})
NAMED_FORM: Final = MappingProxyType({"unknown_form": 404})
NAMED_HOOK: Final = MappingProxyType({"unknown_hook": 404})

BODY: Final = MappingProxyType(
    {"slow_body": 408, "too_large": 413, "unsupported_encoding": 415, "invalid_gzip": 400}
)
"""A body that cannot be read."""

GONE: Final = MappingProxyType({"bad_request": 400})
"""The sender went away while it sent: nobody reads this answer."""

BATCH: Final = MappingProxyType({"invalid_batch": 400, "too_many_events": 413})
FORM: Final = MappingProxyType({"invalid_form": 400})

JSON: Final = MappingProxyType(
    {"invalid_json": 400, "not_an_object": 400, "too_deep": 400, "too_many_keys": 400}
)
"""One event as JSON."""

PERSON: Final = MappingProxyType({"no_identity": 400, "invalid_id": 400})
"""Whose event it is."""

VALUES: Final = MappingProxyType({"invalid_field": 400, "invalid_time": 400})
TRACK: Final = MappingProxyType({"no_name": 400, "not_allowed": 400})
GROUP: Final = MappingProxyType({"no_group": 400})
ALIAS: Final = MappingProxyType({"no_previous_id": 400})
ITEM: Final = MappingProxyType({"unknown_type": 400, "unknown_event": 400})
"""What an item of many says that it is."""

_OF_SENDERS = KEY | SIGNATURE | ADDRESS | NAMED_FORM | NAMED_HOOK
_OF_BODIES = BODY | GONE | BATCH | FORM | JSON
_OF_EVENTS = PERSON | VALUES | TRACK | GROUP | ALIAS | ITEM

STATUS: Final = MappingProxyType(_OF_SENDERS | _OF_BODIES | _OF_EVENTS)
"""code → status"""

LATER: Final = MappingProxyType({"over_limit": 429, "unavailable": 503})
"""code → status of what may be sent again, the same"""

OURS: Final = MappingProxyType({"internal": 500})
"""code → status of our own bugs"""


class OverLimit(Transient):
    """A source sends faster than sources.yaml allows: 429, try again after `retry_after_s`."""
