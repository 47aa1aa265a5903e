"""Everything one run will send, and in which portions.

In: rows, the time, a run id. Out: a `Plan`.
Refuses to send mail events long before or after the visits around them: portions follow the time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.cli.demo.calls import Call, Run, calls
from services.cli.demo.forms import Submit, submits
from services.cli.demo.mails import Mailed, mails
from services.cli.demo.people import people
from services.cli.demo.rows import Row

SEED: Final = 2024
# About two days of the shop.
_PORTION: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Calls, and the mail events of the same time."""

    calls: Sequence[Call]
    mails: Sequence[Mailed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run sends; everything in time order."""

    run: Run
    calls: Sequence[Call]
    mails: Sequence[Mailed]
    submits: Sequence[Submit]

    @property
    def events(self) -> int:
        return len(self.calls) + len(self.mails) + len(self.submits)

    def portions(self) -> Iterator[Portion]:
        """All calls and mails, cut into portions by time."""
        mailed = 0
        for start in range(0, len(self.calls), _PORTION):
            cut = self.calls[start : start + _PORTION]
            last = start + _PORTION >= len(self.calls)
            until = len(self.mails) if last else _before(self.mails, cut[-1].at)
            yield Portion(calls=cut, mails=self.mails[mailed:until])
            mailed = until


def plan(rows: Sequence[Row], now: datetime, run_id: str) -> Plan:
    """What these rows become when their newest happens now."""
    found = people(rows, SEED)
    run = Run.ending(now, rows, run_id)
    return Plan(
        run=run,
        calls=list(calls(rows, found, run)),
        mails=mails(rows, found, run, SEED),
        submits=submits(rows, found, run, SEED),
    )


def _before(mails: Sequence[Mailed], at: datetime) -> int:
    """How many of these happened before then."""
    return sum(mail.at < at for mail in mails)
