"""A lead as it was known at a moment: what events told so far, under each model (pure).

In: events, in the order in which they became known. Out: scores, the rules behind them, a `CrmView`.
Refuses to judge stages: a score does not depend on them, so folding is enough. (A `Life`,
shared/scoring/replay/life.py, looks at stages after each event, and takes no event that comes late.)
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from services.cli.model.backtest.crm_view import FIRST_STAGE, CrmView, came_from, stage_after, view
from shared.events import EMAIL_DELIVERED, Event
from shared.scoring.definition.rules import EngagementRule
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import fold, refold
from shared.scoring.engine.points import decayed
from shared.scoring.engine.score import standing
from shared.scoring.engine.state import EMPTY, Attribute, LeadState, RuleState, Stamp

_LEAST_POINTS: Final = 0.5


class Person:
    """One lead, as far as it is known.

    known:  it has an e-mail address or a user id
    """

    def __init__(self, models: Sequence[Compiled], free_mail: frozenset[str]) -> None:
        self.known = False
        self._accounts = [_Account(model) for model in models]
        self._free_mail = free_mail
        self._met: list[Event] = []
        self._fresh: list[Event] = []
        self._acted_s: float | None = None
        self._source: tuple[Stamp, str] | None = None
        self._stage: tuple[Stamp, str] | None = None
        self._crm: CrmView | None = None

    def learn(self, event: Event) -> None:
        """One more event is known; it may have occurred before others that were known already."""
        self._met.append(event)
        self._fresh.append(event)
        self._crm = None
        self.known = self.known or bool(event.email or event.user_id)
        stamp = (event.occurred_at.timestamp(), event.event_id.bytes)
        # What sales enter and what we send are no signs of life.
        if event.kind != "crm" and event.name != EMAIL_DELIVERED:
            self._acted_s = max(self._acted_s or stamp[0], stamp[0])
        if source := came_from(event):
            self._source = min(self._source or (stamp, source), (stamp, source))
        if stage := stage_after(event):
            self._stage = max(self._stage or (stamp, stage), (stamp, stage))

    def scores(self, at_s: float) -> tuple[int, ...]:
        """The score under each model."""
        self._settle()
        at = datetime.fromtimestamp(at_s, UTC)
        return tuple([account.score(at) for account in self._accounts])

    def rules(self, at_s: float) -> tuple[str, ...]:
        """The rules of the first model that are worth a point or more, up or down."""
        self._settle()
        return self._accounts[0].rules(at_s)

    def idle_s(self, at_s: float) -> float:
        """Since the person last did something; since ever, if never."""
        return at_s - (self._acted_s or 0.0)

    def crm(self) -> CrmView:
        """What a CRM knows."""
        if self._crm is None:
            self._settle()
            self._crm = view(
                self._accounts[0].state.profile,
                source=self._source[1] if self._source else "",
                stage=self._stage[1] if self._stage else FIRST_STAGE,
                free_mail=self._free_mail,
            )
        return self._crm

    def _settle(self) -> None:
        if self._fresh:
            for account in self._accounts:
                account.settle(self._met, self._fresh)
            self._fresh = []


class _Account:
    """What one model keeps of a lead."""

    def __init__(self, model: Compiled) -> None:
        self.model = model
        self.state = EMPTY
        self._paying: list[tuple[EngagementRule, RuleState]] = []
        self._fitting: list[str] = []
        self._fitted: Mapping[str, Attribute] | None = None

    def settle(self, met: Sequence[Event], fresh: Sequence[Event]) -> None:
        """Take the fresh events in; all that were met, where one came too late to be folded in."""
        self.state = state = _folded(self.model, self.state, fresh) or refold(self.model, met)
        self._paying = [
            (rule, state.rules[rule.id]) for rule in self.model.engagement if rule.id in state.rules
        ]
        # Most events say nothing about the person: then the attributes are the same object.
        if state.attributes is not self._fitted:
            self._fitted, profile = state.attributes, state.profile
            self._fitting = [rule.id for rule in self.model.fit if rule.points and rule.holds(profile)]

    def score(self, at: datetime) -> int:
        return standing(self.model, self.state, at).total

    def rules(self, at_s: float) -> tuple[str, ...]:
        """Those worth a point or more, up or down."""
        paying = [
            rule.id
            for rule, account in self._paying
            if abs(rule.between.of(decayed(rule, account, at_s))) >= _LEAST_POINTS
        ]
        return (*paying, *self._fitting)


def _folded(model: Compiled, state: LeadState, events: Sequence[Event]) -> LeadState | None:
    present: LeadState | None = state
    for event in events:
        if present is None:
            break
        present = fold(model, present, event)
    return present
