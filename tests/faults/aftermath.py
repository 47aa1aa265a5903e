"""What must hold after every fault: the invariants of the fault matrix, asked of the running installation.

In: an installation, the traffic that was sent. Out: nothing, or an AssertionError that says what was seen.
Refuses to look before everything is worked off: what is in Kafka is taken, what is due is delivered.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from standardwebhooks.webhooks import Webhook

from shared.ids import EventId
from tests.books import balanced
from tests.faults.report import Row
from tests.faults.traffic import Traffic
from tests.installation import WEBHOOK_SECRET, Installation
from tests.waiting import until

WORKED_OFF_S: Final = 90.0
_TAKEN: Final = (
    "SELECT partition, next_offset FROM partition_offsets WHERE consumer_group = $1 AND topic = $2"
)
_OPEN: Final = """
SELECT (SELECT count(*) FROM regroups)::int AS regroups,
  (SELECT count(*) FROM rescores WHERE finished_at IS NULL)::int AS rescores,
  (SELECT count(*) FROM transitions WHERE planned_at IS NULL)::int AS transitions,
  (SELECT count(*) FROM deliveries WHERE state IN ('pending', 'claimed'))::int AS deliveries
"""


async def all_is_well(
    row: Row, leadscore: Installation, *traffic: Traffic, dead_letters: int = 0
) -> dict[str, int]:
    """Wait until everything is worked off, then check it all; returns the books.

    dead_letters: records of which the test knows that they cannot be processed
    """
    row.acknowledged = sum(len(each.acknowledged) for each in traffic)
    await worked_off(leadscore)
    row.counted = (await leadscore.books())["counted"]
    await counted_once(leadscore, traffic)
    books = await leadscore.books()
    assert balanced(books), books
    assert books["dead_lettered"] == dead_letters, await leadscore.fetch("SELECT code FROM dead_letters")
    await told_in_order(leadscore)
    assert await leadscore.off() == []
    return books


async def worked_off(leadscore: Installation, within_s: float = WORKED_OFF_S) -> None:
    """Wait until nothing is left in Kafka, nothing to group or score anew, and nothing to deliver."""
    left: dict[str, int] = {}

    async def done() -> bool:
        left.clear()
        left.update(await still_open(leadscore))
        return not any(left.values())

    try:
        await until(done, within_s=within_s)
    except TimeoutError as error:
        raise AssertionError(
            f"after {within_s:g} s there is still {left}; {await _said(leadscore)}"
        ) from error


async def still_open(leadscore: Installation) -> dict[str, int]:
    """How much there still is to do, by kind."""
    return {"records": await lag(leadscore), **(await leadscore.fetch(_OPEN))[0]}


async def lag(leadscore: Installation) -> int:
    """Records of the events topic that are not committed."""
    ends, taken = await ends_of_events(leadscore), await taken_of_events(leadscore)
    return sum(end - taken.get(number, 0) for number, end in ends.items())


async def taken_of_events(leadscore: Installation) -> dict[int, int]:
    """Partition → the next offset that its row says."""
    group = leadscore.scorer.environment["LEADSCORE_SCORER_GROUP"]
    return {
        row["partition"]: row["next_offset"]
        for row in await leadscore.fetch(_TAKEN, group, leadscore.topics.events)
    }


async def ends_of_events(leadscore: Installation) -> dict[int, int]:
    """Partition → the offset after its last record, by Kafka."""
    consumer = AIOKafkaConsumer(bootstrap_servers=leadscore.kafka)
    await consumer.start()
    try:
        partitions = [TopicPartition(leadscore.topics.events, number) for number in range(12)]
        return {tp.partition: end for tp, end in (await consumer.end_offsets(partitions)).items()}
    finally:
        await consumer.stop()


async def counted_once(leadscore: Installation, traffic: Iterable[Traffic]) -> None:
    """Every acknowledged event has a row, every row was sent. That it is one row each, reconcile checks."""
    rows = {EventId(row["event_id"]) for row in await leadscore.fetch("SELECT event_id FROM events")}
    acknowledged = {one for each in traffic for one in each.acknowledged}
    sent = {one for each in traffic for one in each.sent}
    lost, made_up = acknowledged - rows, rows - sent
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged events have no row: {list(lost)[:3]}"
    assert not made_up, f"{len(made_up)} rows of events that nobody sent: {list(made_up)[:3]}"


async def told_in_order(leadscore: Installation) -> None:
    """The webhook got every delivery that there is and no other, signed, each lead's in order."""
    rows = await leadscore.fetch("SELECT delivery_id, state FROM deliveries WHERE destination = 'crm'")
    there = {row["delivery_id"] for row in rows}
    assert {row["state"] for row in rows} <= {"delivered"}
    got = {UUID(hit.headers["webhook-id"]) for hit in leadscore.receiver.hits}
    assert got - there == set(), "the webhook was told something of which there is no row"
    assert there - got == set(), "the webhook was not told something that is marked as delivered"
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for body in bodies(leadscore):
        sequence = body["data"]["sequence"]
        if sequence not in seen[body["data"]["lead"]]:
            seen[body["data"]["lead"]].append(sequence)
    assert {lead: order for lead, order in seen.items() if order != sorted(order)} == {}


def bodies(leadscore: Installation) -> list[dict[str, Any]]:
    """What the webhook got, in order of arrival; the standardwebhooks package signs each as it was signed.

    (Its `verify` refuses what came five minutes ago.)
    """
    for hit in leadscore.receiver.hits:
        at = datetime.fromtimestamp(int(hit.headers["webhook-timestamp"]), UTC)
        signed = Webhook(WEBHOOK_SECRET).sign(hit.headers["webhook-id"], at, hit.body.decode())
        assert signed in hit.headers["webhook-signature"].split()
    return [json.loads(hit.body) for hit in leadscore.receiver.hits]


def told_twice(leadscore: Installation) -> int:
    """Requests at the webhook that repeat an earlier one."""
    ids = [hit.headers["webhook-id"] for hit in leadscore.receiver.hits]
    return len(ids) - len(set(ids))


async def _said(leadscore: Installation) -> str:
    """The books and the last log lines of every service."""
    logs = {
        path.name: path.read_text(errors="replace").splitlines()[-3:]
        for path in sorted(leadscore.scorer.log.parent.glob("*.log"))
    }
    return json.dumps({"books": await leadscore.books(), "logs": logs}, indent=1)
