"""The books of promise P6: what became of every record that was taken from Kafka."""

from typing import Final

BOOKS: Final = """
SELECT coalesce(sum(next_offset - started_at_offset), 0)::int AS taken,
       coalesce(sum(counted), 0)::int AS counted,
       coalesce(sum(duplicate), 0)::int AS duplicate,
       coalesce(sum(quarantined), 0)::int AS quarantined,
       coalesce(sum(dead_lettered), 0)::int AS dead_lettered
FROM partition_offsets
"""


def balanced(books: dict[str, int]) -> bool:
    """Whether every record taken became exactly one thing."""
    parts = ("counted", "duplicate", "quarantined", "dead_lettered")
    return books["taken"] == sum(books[part] for part in parts)
