"""All that is known of a person's mails and visits → what of it a machine did (pure).

In: acts of one person in any order, which clicks had neighbours, thresholds. Out: a verdict for each event
that no person made. The same events give the same verdicts, whatever the order in which they came.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.scorer.judge import clicks
from services.scorer.judge.acts import Act
from services.scorer.judge.clicks import Found, Message
from services.scorer.judge.signals import NEIGHBOURS, Signal, Verdict, verdict
from services.scorer.judge.thresholds import BURST_S, MINUTE_S, Thresholds, lies_in
from services.scorer.judge.timeline import Timeline
from services.scorer.judge.visits import Visits
from shared.events import EMAIL_CLICKED, EMAIL_DELIVERED, EMAIL_OPENED, FORM_SUBMITTED, PAGE_VIEWED
from shared.ids import EventId

_DONE: Final = frozenset({EMAIL_OPENED, EMAIL_CLICKED, PAGE_VIEWED, FORM_SUBMITTED})
"""What somebody did, in person or not; a delivery is our doing, and a reply is always a person's."""

_MAILS: Final = frozenset({EMAIL_OPENED, EMAIL_CLICKED})


@dataclass(slots=True, kw_only=True)
class _Case:
    """One person's acts, and what is held against each so far."""

    acts: Sequence[Act]
    limits: Thresholds
    found: defaultdict[EventId, list[Signal]] = field(default_factory=lambda: defaultdict(list))

    def hold(self, signals: Found) -> None:
        for event, signal in signals:
            self.found[event].append(signal)


def verdicts(acts: Sequence[Act], crowded: Collection[EventId], limits: Thresholds) -> dict[EventId, Verdict]:
    """The events of one person that no person made, each with why."""
    if not limits.on:
        return {}
    case = _Case(acts=acts, limits=limits)
    case.hold(_by_itself(acts, limits))
    case.hold(_bursts(acts, limits))
    visits = Visits(acts, frozenset(case.found))
    for message in _messages(acts):
        _judge_message(case, message, visits, crowded)
    for one in acts:
        if not message_known(one) and one.event_id in crowded and not _lifted(one, visits, limits):
            case.found[one.event_id].append(_NEIGHBOURS)
    judged = {one.event_id: verdict(case.found[one.event_id]) for one in acts if one.event_id in case.found}
    return {event: found for event, found in judged.items() if found}


_NEIGHBOURS: Final = Signal(NEIGHBOURS, "several recipients of its domain clicked in the same seconds")


def message_known(one: Act) -> bool:
    """Whether it is told apart which message this is about."""
    return bool(one.message)


def _judge_message(case: _Case, message: Message, visits: Visits, crowded: Collection[EventId]) -> None:
    limits = case.limits
    strong = _gathered(
        clicks.trapped(message, limits),
        clicks.many_links(message, visits, limits),
        clicks.several_clients(message, visits, limits),
    )
    case.hold((event, signal) for event, some in strong.items() for signal in some)
    case.hold(_opens_beside(message, strong))
    seen = Message(
        clicks=message.clicks,
        opens=Timeline(one for one in message.opens.acts if _is_open(one, case.found)),
        delivered=message.delivered,
    )
    weak = _gathered(clicks.quick(seen, limits), clicks.before_open(seen), _crowded(seen, crowded))
    doubted = {
        one.event_id: one.event_id in weak
        for one in seen.clicks.acts
        if one.believed and one.event_id not in case.found
    }
    case.hold(clicks.other_client(seen, doubted, visits))
    for one in seen.clicks.acts:
        if one.event_id in weak and not _lifted(one, visits, limits):
            case.hold((one.event_id, signal) for signal in weak[one.event_id])


def _lifted(click: Act, visits: Visits, limits: Thresholds) -> bool:
    """Whether what is weakly held against a click says nothing, because a person was there."""
    return visits.follows(click) or visits.proven(click, limits.proof_s)


def _by_itself(acts: Iterable[Act], limits: Thresholds) -> Found:
    """What an act says without any other."""
    for one in acts:
        if one.name in _DONE and lies_in(one.client.network, limits.own_networks):
            yield one.event_id, Signal("own_network", "it came from a network of the company's own")
        if one.name in _MAILS and lies_in(one.client.network, limits.datacentres):
            yield one.event_id, Signal("datacentre", "it came from a datacentre")
        if one.proxy and not limits.proxy_opens_count:
            yield one.event_id, Signal("privacy_proxy", "a privacy proxy opened it, whoever reads it")


def _bursts(acts: Iterable[Act], limits: Thresholds) -> Found:
    done = Timeline(one for one in acts if one.name in _DONE)
    if len(done.acts) < limits.burst_events:
        return
    for one, number in done.busy(BURST_S, limits.burst_events, lambda each: each.event_id).items():
        yield one.event_id, Signal("burst", f"{number} events of one person within a second")


def _opens_beside(message: Message, strong: Mapping[EventId, Sequence[Signal]]) -> Found:
    """Opens by the network that clicked like a machine, within a minute of its clicks."""
    for click in message.clicks.acts:
        network = click.client.network
        if click.event_id not in strong or not network:
            continue
        for one in message.opens.between(click.at_s - MINUTE_S, click.at_s + MINUTE_S):
            if one.client.network == network:
                yield one.event_id, strong[click.event_id][0]


def _crowded(message: Message, crowded: Collection[EventId]) -> Found:
    for one in message.clicks.acts:
        if one.event_id in crowded:
            yield one.event_id, _NEIGHBOURS


def _is_open(one: Act, found: Mapping[EventId, object]) -> bool:
    """Whether a person opened it, as far as anybody knows."""
    return one.believed and not one.proxy and one.event_id not in found


def _gathered(*some: Found) -> dict[EventId, list[Signal]]:
    """Signals by event, each once."""
    found: defaultdict[EventId, list[Signal]] = defaultdict(list)
    for signals in some:
        for event, signal in signals:
            if signal not in found[event]:
                found[event].append(signal)
    return dict(found)


def _messages(acts: Iterable[Act]) -> list[Message]:
    """The messages that something was clicked or opened in."""
    parts: defaultdict[str, defaultdict[str, list[Act]]] = defaultdict(lambda: defaultdict(list))
    for one in acts:
        if one.message:
            parts[one.message][one.name].append(one)
    return [
        Message(
            clicks=Timeline(some[EMAIL_CLICKED]),
            opens=Timeline(some[EMAIL_OPENED]),
            delivered=Timeline(some[EMAIL_DELIVERED]),
        )
        for some in parts.values()
        if some[EMAIL_CLICKED]
    ]
