"""Rows 19 and 20 of the fault matrix: a scorer's clock jumps, and time passes while no scorer runs."""

import asyncio
import json
import shutil
import struct
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from tests.faults.aftermath import all_is_well
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.traffic import Traffic, flowing
from tests.faults.watching import all_taken_until_now, counted_more, until_owned_by, watched
from tests.installation import Installation, Service
from tests.scorer.conftest import MODEL
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(240 + 120 * ROUNDS)]

_SOURCE: Final = Path(__file__).with_name("clock_shift.c")
HOUR: Final = timedelta(hours=1)


def settable_clock(scorer: Service, folder: Path) -> Path:
    """Give a scorer a time of day that a file shifts, and return that file (clock_shift.c)."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("row 19 sets the clock of one process, for which it needs a C compiler: there is no `cc`")
    library, file = folder / "clock_shift.so", folder / "clock_shift"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, _SOURCE, "-ldl"], check=True)
    file.write_bytes(struct.pack("q", 0))
    more = {"LD_PRELOAD": str(library), "CLOCK_SHIFT_FILE": str(file)}
    scorer.environment = {**scorer.environment, **more}
    return file


def set_clock(file: Path, shift: timedelta) -> None:
    """Shift the clock from now on."""
    with file.open("r+b") as clock:
        clock.write(struct.pack("q", round(shift.total_seconds())))


def last_log_time(scorer: Service) -> datetime:
    """The time of day as the scorer sees it, by its last log line."""
    line = scorer.log.read_text().splitlines()[-1]
    return datetime.fromisoformat(json.loads(line)["timestamp"])


_TIMES: Final = """
SELECT (SELECT count(*) FROM leads WHERE scored_at > clock_timestamp())::int AS leads_ahead,
  (SELECT count(*) FROM transitions WHERE recorded_at > clock_timestamp())::int AS transitions_ahead,
  (SELECT count(*) FROM leads WHERE scored_at < $1)::int AS leads_behind,
  (SELECT count(*) FROM transitions WHERE recorded_at < $1)::int AS transitions_behind
"""


@pytest.mark.slow
@pytest.mark.fault(19, "the clock of a scorer jumps by an hour")
async def test_row_19_the_clock_jumps(
    leadscore: Installation, chance: Random, row: Row, tmp_path: Path
) -> None:
    """Forth and back: nothing pauses, and scores and transitions have the time of the database."""
    clock = settable_clock(leadscore.scorer, tmp_path)
    await leadscore.start()
    began = datetime.now(UTC)
    async with flowing(leadscore, chance) as traffic, watched(leadscore) as pause:
        for _ in range(ROUNDS):
            for shift in chance.sample([HOUR, -HOUR], 2):
                set_clock(clock, shift)
                await counted_more(leadscore, 200)
                guest = leadscore.another_scorer()
                await guest.start()
                # A rebalance is logged: the scorer does live at another time.
                seen = last_log_time(leadscore.scorer) - datetime.now(UTC)
                assert abs(seen - shift) < timedelta(minutes=5)
                await guest.stop()
            set_clock(clock, timedelta(0))
    row.note(jumps=2 * ROUNDS, longest_pause_s=pause.longest_s)
    await all_is_well(row, leadscore, traffic)
    assert await leadscore.fetch(_TIMES, began) == [
        {"leads_ahead": 0, "transitions_ahead": 0, "leads_behind": 0, "transitions_behind": 0}
    ]
    assert pause.longest_s < 30


LEADS: Final = 60
# Four clicks are 60 points: 53 at this age, 30 (the line to enter) 50 s later, 28 (to leave) 56 s later: a
# machine that does much else has to have counted them by then.
AGE: Final = timedelta(seconds=10)
FORGETS: Final = MODEL.replace("half_life: 30d", "half_life: 1m").replace(
    "below: {score: 20}", "below: {score: 28}"
)
_OVERDUE: Final = "SELECT count(*)::int AS n FROM lead_due WHERE due_at < now() - interval '1 second'"
_STAGES: Final = "SELECT lead_id, stage, cause FROM transitions ORDER BY lead_id, sequence"


def click(chance: Random, message: str) -> dict[str, Any]:
    """One of the clicks of a person: every person has as many."""
    who = int(message.removeprefix("m")) % LEADS
    # A domain each: clicks of many at one company in the same seconds are its gateway (clean-signals.md).
    traits = {"email": f"p{who}@engines{who}.example"}
    item = {"type": "track", "event": "email.clicked", "messageId": message, "userId": f"p{who}"}
    happened = datetime.now(UTC) - AGE
    return {**item, "context": {"traits": traits}, "timestamp": happened.isoformat()}


@pytest.mark.slow
@pytest.mark.fault(20, "no scorer while stages are due, then two")
async def test_row_20_due_while_no_scorer_runs(
    leadscore: Installation, chance: Random, row: Row, tmp_path: Path
) -> None:
    """Every lead that fell below its line meanwhile falls once, whichever of the two looks at it."""
    model = tmp_path / "forgets.yaml"
    model.write_text(FORGETS)
    scorers = [leadscore.scorer, leadscore.another_scorer()]
    for each in scorers:
        each.environment = {**each.environment, "LEADSCORE_SCORER_MODEL_FILE": str(model)}
    await leadscore.start()
    traffic = Traffic(leadscore, chance, make=click)
    await traffic.send(4 * LEADS)
    await all_taken_until_now(leadscore)
    qualified = Counter(one["stage"] for one in await leadscore.fetch(_STAGES))["mql"]
    await leadscore.scorer.kill()
    assert qualified > LEADS / 2, "the machine is too slow: they forgot before they were counted"
    await until(lambda: _overdue(leadscore, qualified), within_s=120)
    await asyncio.gather(*(each.start() for each in scorers))
    await until(lambda: _fallen(leadscore, qualified), within_s=60)
    await until_owned_by(leadscore, *scorers)
    swept = [await each.metric("leadscore_scorer_swept_leads_total") for each in scorers]
    row.note(due=qualified, looked_at=" and ".join(f"{one:g}" for one in swept))
    await all_is_well(row, leadscore, traffic)
    fell = Counter(one["lead_id"] for one in await leadscore.fetch(_STAGES) if one["cause"] == "decay")
    assert len(fell) == qualified
    assert set(fell.values()) == {1}


async def _overdue(leadscore: Installation, number: int) -> bool:
    return bool((await leadscore.fetch(_OVERDUE))[0]["n"] >= number)


async def _fallen(leadscore: Installation, number: int) -> bool:
    return [one["stage"] for one in await leadscore.fetch(_STAGES)].count("recycled") >= number
