"""What a person did on the website after a click, and what proves that there is a person (pure).

In: page views, forms and replies of one person. Out: answers about one click. Refuses as proof what a machine
does as well: a single page view is a visit, and proves nobody.
"""

from collections.abc import Collection, Sequence
from typing import Final

from services.scorer.judge.acts import EMAIL_REPLIED, Act
from services.scorer.judge.thresholds import SAME_MOMENT_S, VISIT_S
from services.scorer.judge.timeline import Timeline
from shared.events import FORM_SUBMITTED, PAGE_VIEWED
from shared.ids import EventId

_READ_ON_S: Final = (5.0, 1_800.0)
"""Another page so long after the one before: somebody read the first."""


class Visits:
    """What one person did beside their mails. without: acts that a machine did."""

    def __init__(self, acts: Sequence[Act], without: Collection[EventId]) -> None:
        believed = [one for one in acts if one.believed and one.event_id not in without]
        self._pages = Timeline(one for one in believed if one.name == PAGE_VIEWED)
        self._proofs = Timeline(one for one in believed if self._proves(one))

    def follows(self, click: Act) -> bool:
        """Whether a page was viewed right after this click."""
        return bool(self._after(click))

    def vouches(self, click: Act) -> bool:
        """Whether it was viewed from the network that the click came from."""
        network = click.client.network
        return bool(network) and any(one.client.network == network for one in self._after(click))

    def proven(self, click: Act, within_s: float) -> bool:
        """Whether a person was there after this click: a form, a reply, a page that somebody read."""
        return bool(self._proofs.between(click.at_s, click.at_s + within_s))

    def _after(self, click: Act) -> Sequence[Act]:
        return self._pages.between(click.at_s - SAME_MOMENT_S, click.at_s + VISIT_S)

    def _proves(self, one: Act) -> bool:
        if one.name in {FORM_SUBMITTED, EMAIL_REPLIED}:
            return True
        return one.name == PAGE_VIEWED and (one.engaged or self._read_on(one))

    def _read_on(self, page: Act) -> bool:
        least_s, most_s = _READ_ON_S
        before = self._pages.between(page.at_s - most_s, page.at_s - least_s)
        return any(one.link != page.link for one in before)
