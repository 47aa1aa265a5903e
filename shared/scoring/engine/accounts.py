"""The people of an account → its score, how many of them are active, its stage, when to look again (pure).

In: what the model says about accounts, the people with their scores, where the account stands, now. Out:
`AccountLook`. The order of the people does not matter, nor how often one looks.

More points and more active people never make a stage lower. So if the least and the most that time can make
of the numbers lead to the same stage, the account stays where it is in between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from shared.ids import LeadId
from shared.scoring.definition.accounts import NO_STAGE, Accounts, Needs
from shared.scoring.definition.stages import StageName

Cause = Literal["people", "time", "model"]
"""Why an account moved: somebody did something or came or went; nothing but time passed; another model."""

_SOONEST: Final = timedelta(minutes=1)
_FURTHEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One person of an account at one moment.

    score:        as the engine gives it at this moment, 0 to 100
    last_act_at:  when they last did something; None if never
    """

    lead_id: LeadId
    score: int
    stage: StageName
    last_act_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNumbers:
    """What the stages of an account look at."""

    score: int
    active_people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an account stands: since when, and after how many transitions."""

    stage: str
    since: datetime
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTransition:
    """One move of an account from stage to stage."""

    sequence: int
    previous_stage: str
    stage: str
    cause: Cause
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLook:
    """An account as it is now.

    transition:  None if it stays where it is
    """

    numbers: AccountNumbers
    place: Place
    transition: AccountTransition | None


ScoreBetween = Callable[[Member, datetime], tuple[int, int]]
"""The least and the most that a member's score is from now until then, if nothing happens."""


def look(
    accounts: Accounts, members: Sequence[Member], place: Place, now: datetime, cause: Cause
) -> AccountLook:
    """The account with these people, and the move that it makes.

    cause:  why one looks, for the transition if there is one
    """
    numbers = numbers_of(accounts, members, now)
    stage = stage_of(accounts, place.stage, numbers)
    if stage == place.stage:
        return AccountLook(numbers=numbers, place=place, transition=None)
    passed = AccountTransition(
        sequence=place.sequence + 1, previous_stage=place.stage, stage=stage, cause=cause, at=now
    )
    moved = Place(stage=stage, since=now, sequence=passed.sequence)
    return AccountLook(numbers=numbers, place=moved, transition=passed)


def numbers_of(accounts: Accounts, members: Sequence[Member], now: datetime) -> AccountNumbers:
    """The score of the account and how many of its people are active."""
    counting = _counting(members)
    return AccountNumbers(
        score=_together(accounts, [member.score for member in counting]),
        active_people=sum(is_active(accounts, member, now) for member in counting),
    )


def is_active(accounts: Accounts, member: Member, at: datetime) -> bool:
    """Whether the person did something in the time that counts."""
    return member.last_act_at is not None and at < _inactive_at(accounts, member.last_act_at)


def stage_of(accounts: Accounts, present: str, numbers: AccountNumbers) -> str:
    """The furthest stage that the account may be in, coming from `present`.

    That is one it has passed or has a line to enter, unless it is below a line to leave. So falling, it stops
    at the first stage that it may stay in. A stage that the model does not have any more counts as none.
    """
    names = [NO_STAGE, *(stage.name for stage in accounts.stages)]
    passed = names.index(present) if present in names else 0
    furthest = 0
    for position, stage in enumerate(accounts.stages, start=1):
        if any(_below(line, numbers) for line in stage.leave):
            continue
        if position <= passed or any(_at_least(line, numbers) for line in stage.enter):
            furthest = position
    return names[furthest]


def look_again_at(
    accounts: Accounts, members: Sequence[Member], stage: str, now: datetime, between: ScoreBetween
) -> datetime | None:
    """When time alone may change the account; None for never.

    That is when the next active person becomes inactive, or earlier if the scores may move it before.
    Never later than the true moment, or else a minute from now; looking too early costs one look.
    """
    counting = _counting(members)
    ends = [
        _inactive_at(accounts, member.last_act_at)
        for member in counting
        if member.last_act_at is not None and is_active(accounts, member, now)
    ]
    end = min(ends, default=now + _FURTHEST)

    def quiet(until: datetime) -> bool:
        bounds = [between(member, until) for member in counting]
        for scores in ([low for low, _ in bounds], [high for _, high in bounds]):
            numbers = AccountNumbers(score=_together(accounts, scores), active_people=len(ends))
            if stage_of(accounts, stage, numbers) != stage:
                return False
        return True

    if accounts.stages and not quiet(end):
        return _last_quiet(quiet, now, end)
    return end if counting else None


def _last_quiet(quiet: Callable[[datetime], bool], now: datetime, end: datetime) -> datetime:
    """The end of a stretch that is proven quiet, to a sixteenth of the way, at least a minute from now."""
    proven, doubtful = timedelta(), end - now
    while doubtful - proven > max(_SOONEST, proven / 16):
        middle = (proven + doubtful) / 2
        proven, doubtful = (middle, doubtful) if quiet(now + middle) else (proven, middle)
    return now + max(proven, _SOONEST)


def _counting(members: Sequence[Member]) -> list[Member]:
    """Who is disqualified is nobody to sell to, and no reason to call their company."""
    return [member for member in members if member.stage != "disqualified"]


def _together(accounts: Accounts, scores: Sequence[int]) -> int:
    return min(accounts.limit, sum(scores) if accounts.sums else max(scores, default=0))


def _inactive_at(accounts: Accounts, last_act_at: datetime) -> datetime:
    return last_act_at + timedelta(seconds=accounts.active_within_s)


def _at_least(line: Needs, numbers: AccountNumbers) -> bool:
    return all(getattr(numbers, measure) >= least for measure, least in line.items())


def _below(line: Needs, numbers: AccountNumbers) -> bool:
    return all(getattr(numbers, measure) < most for measure, most in line.items())
