"""Stored people of an account → its members at one moment (pure).

In: a model, people as they are stored, now. Out: `Member`s with the scores of now, and how time alone may
change these. A lead that another model folded keeps the score it was stored with: it is to be scored anew.
"""

from collections.abc import Sequence
from datetime import datetime

from shared.leads.store.accounts import StoredPerson
from shared.scoring.engine.accounts import Member, ScoreBetween
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.fold import is_current
from shared.scoring.engine.next_change import score_between
from shared.scoring.engine.score import standing


def members(model: Compiled, people: Sequence[StoredPerson], now: datetime) -> list[Member]:
    """These people with the scores they have now; who objects to being scored is not active either."""
    return [
        Member(
            lead_id=person.lead_id,
            score=standing(model, person.state, now).total
            if is_current(model, person.state)
            else person.score,
            stage=person.stage,
            last_act_at=None if has_objected(person.state) else person.last_act_at,
        )
        for person in people
    ]


def outlook(model: Compiled, people: Sequence[StoredPerson], now: datetime) -> ScoreBetween:
    """What the score of each of these people can be from now until another moment."""
    states = {person.lead_id: person.state for person in people}

    def between(member: Member, until: datetime) -> tuple[int, int]:
        state = states[member.lead_id]
        if not is_current(model, state):
            return member.score, member.score
        return score_between(model, state, now, until)

    return between
