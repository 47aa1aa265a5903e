"""Every reason to refuse, and the HTTP status that tells the sender's SDK what to do about it.

In: a code. Out: its status. Refuses a code that is not in the table: metrics use the codes as a label,
so the set is closed.

What SDKs do with a status decides it: they drop what got a 4xx and resend what got a 429 or 5xx.
"""

from types import MappingProxyType
from typing import Final

from shared.errors import Transient

STATUS: Final = MappingProxyType(
    {
        # who
        "unauthorized": 401,
        "invalid_signature": 401,
        "stale_signature": 401,
        "origin_not_allowed": 403,
        # where
        "not_found": 404,
        "unknown_form": 404,
        "unknown_hook": 404,
        "method_not_allowed": 405,
        # the request
        "slow_body": 408,
        "too_large": 413,
        "too_many_events": 413,
        "unsupported_encoding": 415,
        "invalid_gzip": 400,
        "invalid_json": 400,
        "invalid_form": 400,
        "invalid_batch": 400,
        "bad_request": 400,
        # one event
        "not_an_object": 400,
        "too_deep": 400,
        "too_many_keys": 400,
        "unknown_type": 400,
        "unknown_event": 400,
        "no_identity": 400,
        "no_name": 400,
        "not_allowed": 400,
        "no_group": 400,
        "no_previous_id": 400,
        "invalid_field": 400,
        "invalid_id": 400,
        "invalid_time": 400,
    }
)
"""code → status"""


class OverLimit(Transient):
    """A source sends faster than sources.yaml allows: 429, try again after `retry_after_s`."""
