"""The topics and webhooks of Leadscore as an AsyncAPI 3.0 document, made of what the code itself goes by.

In: the topics, the structs of their records, the functions that make headers. Out: the document, as
deploy/contracts/asyncapi.json holds it. Refuses hand-copied names: headers are those of a sample.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, get_args
from uuid import UUID

from services.cli.contracts import records
from services.ingest.publish import REJECTED_HEADERS
from services.router import send_kafka, sign
from services.router.queue import Delivery
from services.router.render import ADVISED_BYTES, MAX_BYTES, Message
from shared import codec
from shared.events import Event
from shared.ids import DeliveryId, EventId, LeadId
from shared.settings import KafkaSettings
from shared.topics import EVENTS, REJECTED, SALES, Topics
from shared.traces import TRACEPARENT

Schema = dict[str, Any]

_REFER: Final = "#/components/schemas/{name}"
_NOBODY: Final = UUID(int=0)
_THEN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ABOUT: Final = """\
Records of Kafka, and webhooks.

- **At least once**: a record or a webhook can come again, with the same id (`ce_id`, `webhook-id`).
- **In order**: events of one person and source, transitions of one lead.
- **Additive**: fields are added; none is removed, renamed or given a new meaning. What breaks gets a new \
topic or a new type. Readers pass over what they do not know.
- Topic names may have a prefix of the installation's (`LEADSCORE_TOPIC_PREFIX`).
"""
_WEBHOOK: Final = f"""\
A POST to the address in routing.yaml, signed by Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`. \
Any 2xx within the time limit is taken as received; 410 disables the destination; everything else is tried \
again, by `Retry-After` if there is one. At most {MAX_BYTES} bytes; above {ADVISED_BYTES} traits and small \
reasons are left out, and `shortened` says so.
"""


def document(version: str) -> Schema:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Leadscore",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": str(KafkaSettings.model_fields["kafka_bootstrap_servers"].default),
                "protocol": "kafka",
            }
        },
        "channels": {**_topics(), "webhooks": _webhooks()},
        "operations": _operations(),
        "components": {
            "messages": _messages(),
            "schemas": records.components([one for some in records.TYPES.values() for one in some], _REFER),
        },
    }


_TOPIC_MESSAGES: Final = {EVENTS: "event", REJECTED: "rejected", SALES: "transition"}
_CHANNELS: Final = {EVENTS: "events", REJECTED: "rejected", SALES: "sales"}


def _topics() -> Schema:
    """The three topics, as `leadscore topics` makes them."""
    return {
        _CHANNELS[topic.name]: {
            "address": topic.name,
            "messages": _named([_TOPIC_MESSAGES[topic.name]]),
            "servers": [{"$ref": "#/servers/kafka"}],
            "bindings": {
                "kafka": {
                    "topic": topic.name,
                    "partitions": topic.partitions,
                    "topicConfiguration": {"retention.ms": topic.retention_ms},
                }
            },
        }
        for topic in Topics().wanted()
    }


def _webhooks() -> Schema:
    return {
        "address": None,
        "description": _WEBHOOK,
        "messages": _named([_webhook_name(one) for one in get_args(Message)]),
    }


def _named(messages: Iterable[str]) -> Schema:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in messages}


def _operations() -> Schema:
    """What each service does with them, seen from Leadscore."""
    post = {"http": {"method": "POST", "bindingVersion": "0.3.0"}}
    return {
        "acceptEvents": _operation("send", "events", "ingest writes every event that it answers 200 for."),
        "countEvents": _operation("receive", "events", "The scorer counts each event once."),
        "keepRejected": _operation("send", "rejected", "ingest keeps what it refuses of known sources."),
        "queueForSales": _operation("send", "sales", "The router writes what routing.yaml sends to Kafka."),
        "postWebhooks": {
            **_operation("send", "webhooks", "The router posts what routing.yaml sends to webhooks."),
            "bindings": post,
        },
    }


def _operation(action: str, channel: str, says: str) -> Schema:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": says}


def _messages() -> Schema:
    """Each message: its headers, its key, its body."""
    event = Event(
        event_id=EventId(_NOBODY),
        source="product",
        kind="web",
        name="n",
        occurred_at=_THEN,
        received_at=_THEN,
    )
    queued = send_kafka.record(_delivery(), SALES)
    keys = {topic.name: topic.key for topic in Topics().wanted()}
    return {
        "event": _record(EVENTS, keys, _names(codec.cloudevent_headers(event))),
        "rejected": _record(REJECTED, keys, _names(REJECTED_HEADERS), ()),
        "transition": _record(SALES, keys, _names(queued.headers)),
        **{_webhook_name(one): _webhook(one) for one in get_args(Message)},
    }


def _record(
    topic: str, keys: Mapping[str, str], headers: list[str], optional: Sequence[str] = (TRACEPARENT,)
) -> Schema:
    return {
        "name": _TOPIC_MESSAGES[topic],
        "headers": _headers(headers, optional),
        "payload": records.one_of(records.TYPES[topic], _REFER),
        "bindings": {"kafka": {"key": {"type": "string", "description": keys[topic]}}},
    }


def _webhook(body: type) -> Schema:
    signed = sign.headers(DeliveryId(_NOBODY), b"{}", [b"a key of enough bytes to be one"], _THEN)
    return {
        "name": _webhook_name(body),
        "headers": _headers(["content-type", *signed]),
        "payload": records.one_of([body], _REFER),
    }


def _webhook_name(body: type) -> str:
    """`lead.stage_changed` as a name that a document may have: `lead_stage_changed`."""
    (said,) = get_args(body.__annotations__["type"])
    return str(said).replace(".", "_")


_SAID: Final[Mapping[str, Schema]] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": {"format": "uuid", "description": "The event, or the delivery: the same again is a repetition."},
    "ce_source": {"description": "Who made it, as a path."},
    "ce_type": {"description": "The name of the event, or the type of the body."},
    "ce_time": {"format": "date-time", "description": "When it happened."},
    "ce_subject": {"format": "uuid", "description": "The lead."},
    "ce_sequence": {"pattern": "^[0-9]+$", "description": "Counts the lead's transitions."},
    TRACEPARENT: {"description": "Of W3C: only where the event is traced."},
    "content-type": {"const": "application/json"},
    "webhook-id": {"format": "uuid", "description": "The delivery: the same at every attempt."},
    "webhook-timestamp": {"pattern": "^[0-9]+$", "description": "Of this attempt, in seconds since 1970."},
    "webhook-signature": {
        "pattern": "^v1,",
        "description": "One for each secret in use, with a space between them.",
    },
}


def _headers(names: Iterable[str], optional: Sequence[str] = (TRACEPARENT,)) -> Schema:
    """Headers as text: all that are always there, and those that may be."""
    required = list(names)
    return {
        "type": "object",
        "properties": {name: {"type": "string", **_SAID[name]} for name in [*required, *optional]},
        "required": required,
    }


def _names(headers: Iterable[tuple[str, bytes]]) -> list[str]:
    return [name for name, _ in headers]


def _delivery() -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(_NOBODY),
        destination="sales-queue",
        lead_id=LeadId(_NOBODY),
        sequence=1,
        body=b"{}",
        attempt=1,
        claim=_NOBODY,
        event_received_at=None,
    )
