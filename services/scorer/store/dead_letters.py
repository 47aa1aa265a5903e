"""dead_letters: records that cannot be processed, with their bytes and the reason.

In: a record and what is wrong with it. Out: a row that a person can look at and replay.
Loses nothing: the offset moves in the same transaction.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any, Final

from shared.errors import Invalid
from shared.kafka.stream import Received

_INSERT: Final = """
INSERT INTO dead_letters (topic, partition, record_offset, code, message, key, value, headers)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)
ON CONFLICT (topic, partition, record_offset) DO NOTHING
"""


async def insert(connection: Any, topic: str, letters: Sequence[tuple[Received, Invalid]]) -> None:
    """Keep these records."""
    for record, reason in letters:
        # Other producers may send headers without a value, which Kafka allows.
        headers = [[name, base64.b64encode(value or b"").decode()] for name, value in record.headers]
        await connection.execute(
            _INSERT,
            topic,
            record.partition,
            record.offset,
            reason.code,
            reason.message.replace("\x00", "\\0")[:2000],
            record.key,
            record.value,
            json.dumps(headers).replace("\\u0000", "\\ufffd"),
        )
