"""How much one request may be. Values: settings; reasons: deploy/config/reference.env.

In: numbers. Out: `Limits`. Body.py, decode.py and sources/ ask it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest of everything that ingest takes.

    event_bytes:         one event as JSON, with what its batch adds to it
    body_bytes:          one request as it comes over the wire
    decompressed_bytes:  the same request once unpacked
    bodies_bytes:        bodies of all requests that are being received, as they come and unpacked
    batch_items:         events in one request
    depth:               JSON objects and lists inside each other
    keys:                keys in one event, all levels together
    read_s:              seconds a client may take to send its body
    ack_s:               seconds Kafka may take to acknowledge; SDKs give up after 10 to 15
    hook_ack_s:          the same for webhooks; some e-mail providers give up after 4
    """

    event_bytes: int = 32 * 1024
    body_bytes: int = 500 * 1024
    decompressed_bytes: int = 4 * 1024 * 1024
    bodies_bytes: int = 64 * 1024 * 1024
    batch_items: int = 2500
    depth: int = 32
    keys: int = 10_000
    read_s: float = 10.0
    ack_s: float = 5.0
    hook_ack_s: float = 3.0
