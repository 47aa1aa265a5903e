"""The clicks of one message: which of them no person made (pure).

In: clicks, opens and deliveries of one message, what the person did on the website. Out: signals by event.
Refuses to hold anything against a click by what another message says.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.scorer.judge.acts import Act, Client
from services.scorer.judge.signals import Signal
from services.scorer.judge.thresholds import (
    BEFORE_DELIVERY_S,
    MINUTE_S,
    OPEN_AFTER_S,
    OPEN_BEFORE_S,
    SAME_MOMENT_S,
    Thresholds,
)
from services.scorer.judge.timeline import Timeline
from services.scorer.judge.visits import Visits
from shared.ids import EventId

Found = Iterator[tuple[EventId, Signal]]

_NETWORKS_OF_A_FARM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is known of one message."""

    clicks: Timeline
    opens: Timeline
    delivered: Timeline

    def delivery(self, click: Act, within_s: float) -> Act | None:
        """The delivery that this click came with, if there is one: shortly before it, or right after."""
        near = self.delivered.between(click.at_s - within_s, click.at_s + BEFORE_DELIVERY_S)
        return near[-1] if near else None


def trapped(message: Message, limits: Thresholds) -> Found:
    """Clicks on a link that people do not see, and what the same network clicked within a minute of it."""
    traps = Timeline(
        one for one in message.clicks.acts if any(part in one.link for part in limits.trap_links)
    )
    for click in message.clicks.acts if traps.acts else ():
        near = traps.between(click.at_s - MINUTE_S, click.at_s + MINUTE_S)
        if any(not _elsewhere(click.client, trap.client) for trap in near):
            yield click.event_id, Signal("trap_link", "it clicked a link that people do not see")


def many_links(message: Message, visits: Visits, limits: Thresholds) -> Found:
    """Clicks on many links with a delivery, or from one place at the same moment."""
    for delivery in message.delivered.acts:
        clicks = message.clicks.between(delivery.at_s - BEFORE_DELIVERY_S, delivery.at_s + limits.delivery_s)
        if (links := len({one.link for one in clicks})) >= limits.links:
            says = f"{links} links of one message within {limits.delivery_s:g} s of its delivery"
            for some in _by_client(clicks).values():
                alone = len({one.link for one in some}) >= limits.links
                for click in some:
                    if alone or not visits.vouches(click):
                        yield click.event_id, Signal("many_links", says)
    if len(message.clicks.acts) < limits.links:
        return
    for some in _by_client(message.clicks.acts).values():
        for click, links in Timeline(some).busy(SAME_MOMENT_S, limits.links, lambda one: one.link).items():
            yield click.event_id, Signal("many_links", f"{links} links of one message at the same moment")


def several_clients(message: Message, visits: Visits, limits: Thresholds) -> Found:
    """Many links within a minute, each clicked once, from several systems or many networks."""
    if len(message.clicks.acts) < limits.links:
        return
    told: set[EventId] = set()
    for window in message.clicks.windows(MINUTE_S):
        news = [one for one in window if one.event_id not in told]
        if news and (links := _farmed(window, limits)):
            says = f"{links} links, each once within a minute, from several networks or systems"
            told.update(one.event_id for one in news)
            for click in news:
                if not visits.vouches(click):
                    yield click.event_id, Signal("several_clients", says)


def _farmed(window: Sequence[Act], limits: Thresholds) -> int:
    """How many links a farm of machines clicked here; 0 if it was none."""
    links = {one.link for one in window}
    if len(links) < max(limits.links, len(window)):
        return 0
    systems = {one.client.system for one in window} - {""}
    networks = {one.client.network for one in window} - {""}
    return len(links) if len(systems) > 1 or len(networks) >= _NETWORKS_OF_A_FARM else 0


def quick(message: Message, limits: Thresholds) -> Found:
    """Clicks within seconds of the delivery."""
    for click in message.clicks.acts:
        if delivery := message.delivery(click, limits.delivery_s):
            after_s = max(0.0, click.at_s - delivery.at_s)
            says = f"{after_s:.0f} s after delivery, and no page was viewed after it"
            yield click.event_id, Signal("quick_click", says)


def before_open(message: Message) -> Found:
    """Clicks in a message that nobody had opened: its first open came later."""
    for click in message.clicks.acts:
        opened = message.opens.between(click.at_s - OPEN_BEFORE_S, click.at_s + SAME_MOMENT_S)
        later = message.opens.between(click.at_s + SAME_MOMENT_S, click.at_s + OPEN_AFTER_S)
        if later and not opened:
            after_s = later[0].at_s - click.at_s
            says = f"{after_s:.0f} s before the message was opened, and no page was viewed after it"
            yield click.event_id, Signal("before_open", says)


def other_client(message: Message, doubted: Mapping[EventId, bool], visits: Visits) -> Found:
    """Of clicks within a minute from different networks and systems, all but the one that is a person's.

    doubted: of the clicks that may be a person's, whether something weak is held against them
    """
    clicks = Timeline(one for one in message.clicks.acts if one.event_id in doubted)

    def rank(click: Act) -> tuple[bool, bool, bool, float, EventId]:
        vouched = visits.vouches(click)
        opened = any(
            one.client == click.client
            for one in message.opens.between(click.at_s - OPEN_BEFORE_S, click.at_s + SAME_MOMENT_S)
        )
        doubt = doubted[click.event_id] and not vouched
        return doubt, not vouched, not opened, click.at_s, click.event_id

    ranks = {click: rank(click) for click in clicks.acts} if len(clicks.acts) > 1 else {}
    for click, own in ranks.items():
        others = clicks.between(click.at_s - MINUTE_S, click.at_s + MINUTE_S)
        better = (one for one in others if one.client.differs(click.client) and ranks[one] < own)
        if one := next(better, None):
            apart_s = abs(one.at_s - click.at_s)
            says = f"another network and system {apart_s:.0f} s apart from the person's click"
            yield click.event_id, Signal("other_client", says)


def _by_client(clicks: Sequence[Act]) -> Mapping[Client, list[Act]]:
    found: defaultdict[Client, list[Act]] = defaultdict(list)
    for one in clicks:
        found[one.client].append(one)
    return found


def _elsewhere(one: Client, other: Client) -> bool:
    """Whether both networks are known, and are two."""
    return bool(one.network and other.network) and one.network != other.network
