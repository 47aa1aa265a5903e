"""Who reads a partition and from where: one row per partition, moved in the transaction of its batch (P2).

In: assignments from Kafka, batches that end somewhere. Out: the right to go on, or `Fenced`.
Refuses whoever is not the owner: a process that was frozen and wakes up finds another epoch or another
offset in the row, its first statement moves nothing, and everything it wanted to write is rolled back.
Nothing else protects us: aiokafka hands out records after it was expelled from the group.
"""

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
UPDATE partition_offsets SET next_offset = $6, touched_at = now()
WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND next_offset = $5
RETURNING now()
"""

_READ: Final = """
SELECT epoch, next_offset FROM partition_offsets WHERE consumer_group = $1 AND topic = $2 AND partition = $3
"""

_TALLY: Final = """
UPDATE partition_offsets
SET counted = counted + $4, duplicate = duplicate + $5, quarantined = quarantined + $6,
    dead_lettered = dead_lettered + $7
WHERE consumer_group = $1 AND topic = $2 AND partition = $3
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

    async def advance(self, connection: Any, claim: Claim, *, to: int) -> datetime:
        """Move the offset, as the first statement of a batch's transaction.

        Returns the database's time, which is the `now` of everything in this transaction.
        Raises Fenced if the row is not where this claim left it.
        """
        now = await connection.fetchval(
            _ADVANCE, self.group, self.topic, claim.partition, claim.epoch, claim.next_offset, to
        )
        if now is None:
            raise Fenced(f"partition {claim.partition} is not at offset {claim.next_offset} any more")
        return now  # type: ignore[no-any-return]

    async def tally(self, connection: Any, claim: Claim, tally: Tally) -> None:
        """Add to the partition's books, in the same transaction as the offset."""
        await connection.execute(
            _TALLY,
            self.group,
            self.topic,
            claim.partition,
            tally.counted,
            tally.duplicate,
            tally.quarantined,
            tally.dead_lettered,
        )

    async def reread(self, connection: Any, claim: Claim) -> Claim | None:
        """Where the partition really is, None if another epoch has begun.

        Answers what a lost connection during COMMIT left open: whether the batch was committed.
        """
        row = await connection.fetchrow(_READ, self.group, self.topic, claim.partition)
        if row is None or row["epoch"] != claim.epoch:
            return None
        return Claim(partition=claim.partition, epoch=claim.epoch, next_offset=row["next_offset"])
