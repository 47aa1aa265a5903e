"""Whether something grows over time.

In: samples. Out: quarters compared. The first quarter is left out: caches and pools fill. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.soak.measure import Sample

_TENTH: Final = 1.1
_QUARTERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Medians of the second and of the last quarter, and the highest of all."""

    second: float
    last: float
    highest: float

    def flat(self, tolerated: float) -> bool:
        """Whether the last quarter is at most a tenth, and so much, above the second."""
        return self.last <= self.second * _TENTH + tolerated


def growth(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> Growth:
    """How this value of the samples went; samples without it are left out."""
    return Growth(
        second=_middle(_quarter(samples, 1), value),
        last=_middle(_quarter(samples, _QUARTERS - 1), value),
        highest=max((found for each in samples if (found := value(each)) is not None), default=0.0),
    )


def per_event(
    samples: Sequence[Sample], size: Callable[[Sample], int], events: Callable[[Sample], int]
) -> Growth:
    """Bytes that each further event took in the second and in the last quarter."""
    second, last = (_slope(_quarter(samples, number), size, events) for number in (1, _QUARTERS - 1))
    return Growth(second=second, last=last, highest=max(second, last))


def _quarter(samples: Sequence[Sample], number: int) -> Sequence[Sample]:
    size = len(samples) / _QUARTERS
    return samples[round(number * size) : round((number + 1) * size)]


def _middle(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> float:
    found = [one for each in samples if (one := value(each)) is not None]
    return median(found) if found else 0.0


def _slope(
    samples: Sequence[Sample], size: Callable[[Sample], int], events: Callable[[Sample], int]
) -> float:
    if len(samples) < 2 or events(samples[-1]) == events(samples[0]):
        return 0.0
    return (size(samples[-1]) - size(samples[0])) / (events(samples[-1]) - events(samples[0]))
