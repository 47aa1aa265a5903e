"""Chance that can be repeated, and how often each fault happens.

In: `SEED` and `ROUNDS` of the environment, as `make faults` passes them. Out: numbers.
Without `ROUNDS` every fault happens as seldom as it can: that is the subset in `make test`.
"""

import os
from random import Random
from typing import Final

SEED: Final = os.environ.get("SEED") or str(Random().randrange(10**6))
ROUNDS: Final = int(os.environ.get("ROUNDS") or 1)


def chance(name: str) -> Random:
    """A source of chance for one test: the same for the same seed."""
    return Random(f"{SEED} {name}")
