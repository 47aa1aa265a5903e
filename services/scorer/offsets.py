"""Who reads a partition and from where: one row per partition, moved in the transaction of its batch (P2).

In: assignments from Kafka, batches that end somewhere. Out: the right to go on, or `Fenced`.
Refuses whoever is not the owner: a process that was frozen and wakes up finds another epoch or another
offset in the row, its first statement moves nothing, and everything it wanted to write is rolled back.
Nothing else protects us: aiokafka hands out records after it was expelled from the group.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.errors import LeadscoreError

# A claim of an older generation is late news, unless the newer owner has been silent for this long.
_SILENT: Final = "2 minutes"

_CLAIM: Final = f"""
INSERT INTO partition_offsets AS held
  (consumer_group, topic, partition, epoch, generation, owner, started_at_offset, next_offset)
VALUES ($1, $2, $3, 1, $4, $5, $6, $6)
ON CONFLICT (consumer_group, topic, partition) DO UPDATE
  SET epoch = held.epoch + 1, generation = EXCLUDED.generation, owner = EXCLUDED.owner, touched_at = now()
  WHERE held.generation <= EXCLUDED.generation OR held.touched_at < now() - interval '{_SILENT}'
RETURNING epoch, next_offset
"""  # noqa: S608 - the only inserted text is the constant above

_ADVANCE: Final = """
UPDATE partition_offsets held SET next_offset = n.upto, touched_at = now()
FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[]) AS n (partition, epoch, expected, upto)
WHERE held.consumer_group = $1 AND held.topic = $2 AND held.partition = n.partition
  AND held.epoch = n.epoch AND held.next_offset = n.expected
RETURNING held.partition, now() AS now
"""

_READ: Final = """
SELECT epoch, next_offset FROM partition_offsets WHERE consumer_group = $1 AND topic = $2 AND partition = $3
"""

_ELSEWHERE: Final = """
SELECT n.partition FROM unnest($3::int[], $4::bigint[], $5::bigint[]) AS n (partition, epoch, expected)
WHERE NOT EXISTS (SELECT FROM partition_offsets held
  WHERE held.consumer_group = $1 AND held.topic = $2 AND held.partition = n.partition
    AND held.epoch = n.epoch AND held.next_offset = n.expected)
"""

_TALLY: Final = """
UPDATE partition_offsets held
SET counted = held.counted + n.counted, duplicate = held.duplicate + n.duplicate,
    quarantined = held.quarantined + n.quarantined, dead_lettered = held.dead_lettered + n.dead_lettered
FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
  AS n (partition, counted, duplicate, quarantined, dead_lettered)
WHERE held.consumer_group = $1 AND held.topic = $2 AND held.partition = n.partition
"""


class Fenced(LeadscoreError):
    """Somebody else owns this partition now, or this batch was committed already: drop it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to move one partition's offset, as long as nobody claims it after us."""

    partition: int
    epoch: int
    next_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the records of a batch; the parts add up to their number."""

    counted: int = 0
    duplicate: int = 0
    quarantined: int = 0
    dead_lettered: int = 0


_TALLIED: Final = ("counted", "duplicate", "quarantined", "dead_lettered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What moving some offsets came to.

    now:         the database's time, which is the `now` of everything in this transaction
    partitions:  those that moved; whoever asked for others has lost them
    """

    now: datetime
    partitions: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offsets:
    """The offset rows of one consumer group on one topic."""

    group: str
    topic: str
    owner: str

    async def claim(self, connection: Any, partition: int, *, generation: int, first: int) -> Claim | None:
        """Become the owner of a partition.

            first: where to start a partition that was never read

        None if a newer generation holds it. Waits for a transaction that its present owner has open,
        and then sees the offset that this one committed.
        """
        row = await connection.fetchrow(
            _CLAIM, self.group, self.topic, partition, generation, self.owner, first
        )
        return row and Claim(partition=partition, epoch=row["epoch"], next_offset=row["next_offset"])

    async def advance(self, connection: Any, moves: Mapping[Claim, int]) -> Advanced:
        """Move the offsets of a batch's partitions, as the first statement of its transaction.

        moves: each claim with the offset after its last record

        Raises Fenced if no row is where its claim left it.
        """
        rows = await connection.fetch(
            _ADVANCE,
            self.group,
            self.topic,
            [claim.partition for claim in moves],
            [claim.epoch for claim in moves],
            [claim.next_offset for claim in moves],
            list(moves.values()),
        )
        if not rows:
            raise Fenced(
                f"partitions {sorted(claim.partition for claim in moves)} are not where we left them"
            )
        return Advanced(now=rows[0]["now"], partitions=frozenset(row["partition"] for row in rows))

    async def elsewhere(self, connection: Any, claims: Collection[Claim]) -> list[int]:
        """The partitions whose row is not where these claims left it.

        Without anybody having moved them that happens if the database is another one: an older copy of it.
        """
        columns = zip(*((one.partition, one.epoch, one.next_offset) for one in claims), strict=True)
        rows = await connection.fetch(_ELSEWHERE, self.group, self.topic, *(list(each) for each in columns))
        return [row["partition"] for row in rows]

    async def tally(self, connection: Any, tallies: Mapping[int, Tally]) -> None:
        """Add to the partitions' books, in the same transaction as the offsets."""
        numbers = sorted(tallies)
        await connection.execute(
            _TALLY,
            self.group,
            self.topic,
            numbers,
            *([getattr(tallies[number], name) for number in numbers] for name in _TALLIED),
        )

    async def reread(self, connection: Any, claim: Claim) -> Claim | None:
        """Where the partition really is, None if another epoch has begun.

        Answers what a lost connection during COMMIT left open: whether the batch was committed.
        """
        row = await connection.fetchrow(_READ, self.group, self.topic, claim.partition)
        if row is None or row["epoch"] != claim.epoch:
            return None
        return Claim(partition=claim.partition, epoch=claim.epoch, next_offset=row["next_offset"])
