"""Whom each device served, and when, by what is known now (pure).

In: the evidence of events, and the groups they make. Out: for a device and a moment, a group; for the device
now, its last one. An anonymous event goes to whoever was known on its device last before it, else first after
it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from services.scorer.identify.evidence import Evidence
from services.scorer.identify.facts import are_apart
from services.scorer.identify.groups import Groups
from shared.leads.identifiers import Identifier


class Use(NamedTuple):
    """Somebody became known on a device, at this moment."""

    at: datetime
    group: int


class Served:
    """The uses of all devices in some events."""

    def __init__(self, seen: Iterable[Evidence], found: Groups) -> None:
        self._uses: Mapping[Identifier, list[Use]] = _uses(seen, found)
        self._device_sets = _sets_of_devices(seen)

    def group_at(self, devices: Iterable[Identifier], at: datetime) -> int | None:
        """Whose an anonymous event with these devices is; None if nobody ever became known on them."""
        for device in devices:
            for one in (device, *sorted(self._device_sets.get(device, frozenset()) - {device})):
                uses = self._uses.get(one, [])
                if uses:
                    return uses[max(0, bisect_right(uses, at, key=lambda use: use.at) - 1)].group
        return None

    def last(self, device: Identifier) -> Use | None:
        """Whom the device serves now."""
        uses = self._uses.get(device)
        return uses[-1] if uses else None

    def together(self, device: Identifier) -> frozenset[Identifier]:
        """The devices that anonymous events name together with this one."""
        return self._device_sets.get(device, frozenset({device}))


def _uses(seen: Iterable[Evidence], found: Groups) -> dict[Identifier, list[Use]]:
    uses: defaultdict[Identifier, list[Use]] = defaultdict(list)
    for each in sorted(seen, key=lambda one: (one.at, one.event_id)):
        group = found.of(each.strong[0]) if each.strong else None
        if group is None:
            continue
        for device in each.weak:
            if not are_apart(found.marks.get(device, frozenset()), found.marks_of(group)):
                uses[device].append(Use(each.at, group))
    return uses


def _sets_of_devices(seen: Iterable[Evidence]) -> dict[Identifier, frozenset[Identifier]]:
    sets: dict[Identifier, frozenset[Identifier]] = {}
    for each in seen:
        if len(each.weak) > 1 and not each.strong:
            joined = frozenset(each.weak).union(*(sets.get(one, frozenset()) for one in each.weak))
            sets |= dict.fromkeys(joined, joined)
    return sets
