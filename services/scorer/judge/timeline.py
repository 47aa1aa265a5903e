"""Events of a person in order of time, and windows over them (pure)."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from services.scorer.judge.acts import Act


class Timeline:
    """Acts in order of time; of one moment, in order of their ids."""

    def __init__(self, acts: Iterable[Act]) -> None:
        self.acts = sorted(acts, key=lambda one: (one.at_s, one.event_id))
        self._at_s = [one.at_s for one in self.acts]

    def between(self, first_s: float, last_s: float) -> Sequence[Act]:
        """Those from one moment to another, both included."""
        return self.acts[bisect_left(self._at_s, first_s) : bisect_right(self._at_s, last_s)]

    def windows(self, width_s: float) -> Iterator[Sequence[Act]]:
        """What lies within so many seconds of each act, from it on."""
        for one in self.acts:
            yield self.between(one.at_s, one.at_s + width_s)

    def busy(self, width_s: float, enough: int, what: Callable[[Act], object]) -> dict[Act, int]:
        """Acts of a window with so many different things; each with how many its first such window has.

        However many acts there are, each is looked at twice: a flood must not hold a transaction up.
        """
        found: dict[Act, int] = {}
        seen: Counter[object] = Counter()
        end = told = 0
        for start, first in enumerate(self.acts):
            while end < len(self.acts) and self._at_s[end] <= first.at_s + width_s:
                seen[what(self.acts[end])] += 1
                end += 1
            if len(seen) >= enough:
                found.update(dict.fromkeys(self.acts[max(start, told) : end], len(seen)))
                told = end
            seen[what(first)] -= 1
            if not seen[what(first)]:
                del seen[what(first)]
        return found
