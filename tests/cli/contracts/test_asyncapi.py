"""asyncapi.json tells the truth: records and webhooks are as it says, by the code that makes them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from jsonschema import Draft7Validator, ValidationError

from services.router import send_kafka, sign
from services.router.queue import Delivery
from services.router.render import render
from shared.ids import DeliveryId, LeadId
from shared.leads.transition_row import ABOUT_OBJECTION, TransitionRow
from shared.testing import MemoryBroker
from shared.topics import Topics
from tests.cli.contracts.messages import DOCUMENT, check, check_record, check_webhook, message_on
from tests.ingest.contract import Described, operations
from tests.ingest.refused_requests import good
from tests.ingest.serving import serving
from tests.router.situations import transition

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_document_is_valid() -> None:
    """By AsyncAPI 3.0's own schema, which is kept beside (README.md says where it is from)."""
    schema = json.loads((Path(__file__).parent / "asyncapi-3.0.0.schema.json").read_text())
    Draft7Validator(schema).validate(DOCUMENT)


def test_topics_are_those_that_are_made() -> None:
    """Names, partitions, retention, as `leadscore topics` makes them."""
    bindings = [one["bindings"]["kafka"] for one in DOCUMENT["channels"].values() if one["address"]]
    told = {(one["topic"], one["partitions"], one["topicConfiguration"]["retention.ms"]) for one in bindings}
    assert told == {(one.name, one.partitions, one.retention_ms) for one in Topics().wanted()}


@pytest.mark.asyncio
@pytest.mark.parametrize("one", [one for one in operations() if one.sent], ids=lambda one: one.path)
async def test_what_ingest_writes_is_as_told(one: Described) -> None:
    """Each example of openapi.json becomes records as asyncapi.json says, and so does what is refused."""
    broker = MemoryBroker()
    async with serving(broker) as client:
        for body in [*one.examples().values(), {"nonsense": True}]:
            await client.post(**good(one, body, THEN))
    assert {message_on(record.topic) for record in broker.records} == {"event", "rejected"}
    for record in broker.records:
        check_record(record.topic, record.headers, record.value)


TRANSITIONS = {
    "lead_stage_changed": transition(),
    "lead_unmerged": transition(other_leads=[LeadId(UUID(int=7))]),
    "lead_corrected": transition(corrected=["many_links"]),
    "lead_objected": transition(cause=min(ABOUT_OBJECTION)),
}


@pytest.mark.parametrize("name", sorted(TRANSITIONS))
def test_what_the_router_sends_is_as_told(name: str) -> None:
    """Each kind of body, on the sales queue and as a webhook."""
    delivery = _delivery(TRANSITIONS[name])
    record = send_kafka.record(delivery, Topics().sales)
    check_record(record.topic, record.headers, record.value)
    signed = sign.headers(delivery.delivery_id, delivery.body, [b"k" * 32], THEN)
    headers = {"content-type": "application/json", **signed}
    check_webhook(headers, delivery.body)
    check(name, headers, delivery.body)
    without = {header: text for header, text in headers.items() if header != "webhook-id"}
    with pytest.raises(ValidationError, match="webhook-id"):
        check_webhook(without, delivery.body)


def _delivery(told: TransitionRow) -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(UUID(int=1)),
        destination="crm",
        lead_id=told.lead_id,
        sequence=told.sequence,
        body=render(told, "en"),
        attempt=1,
        claim=UUID(int=2),
        event_received_at=None,
    )
