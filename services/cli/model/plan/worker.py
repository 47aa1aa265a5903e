"""One of the processes that replay: an order first, then ranges of leads; for each a tally.

In: frames on stdin. Out: a frame on stdout for each range.
Refuses to outlive the process that started it: it ends when stdin does.

    python -m services.cli.model.plan.worker
"""

import asyncio
import gc
import sys
from contextlib import suppress
from datetime import datetime
from typing import BinaryIO, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.model.plan.read import known_leads
from services.cli.model.plan.replay import Trial, replay
from services.cli.model.plan.tally import Tally, count, empty
from services.router import route_file
from shared.codec import decode_all
from shared.database import engine
from shared.errors import LeadscoreError
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import load_model

LENGTH_BYTES: Final = 4


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it is written."""

    title: str
    text: str
    lists: dict[str, list[str]]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare, and in which database; see `Trial`."""

    database_url: str
    active: Written
    draft: Written
    routing: str
    now: datetime
    days: int
    emails: bool


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a range; `error` says in words why there is no tally."""

    tally: Tally | None = None
    error: str = ""


def frame(content: msgspec.Struct | tuple[UUID, UUID]) -> bytes:
    """The bytes of one message: their number, then msgpack."""
    body = msgspec.msgpack.encode(content)
    return len(body).to_bytes(LENGTH_BYTES) + body


def main() -> None:
    """Answer until stdin ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    order = msgspec.msgpack.decode(_read(source), type=Order)
    trial = _trial(order)
    pool = engine(order.database_url, application="leadscore-plan", pool_size=1)
    # Events hold no cycles, and looking for some in thousands of them took a fifth of the time (measured).
    gc.disable()
    # Models and modules stay: the collector needs not walk through them after each range (an eighth of it).
    gc.freeze()
    with asyncio.Runner() as runner, suppress(BrokenPipeError):
        while body := _read(source):
            between = msgspec.msgpack.decode(body, type=tuple[UUID, UUID])
            sink.write(frame(runner.run(_answer(pool, trial, between, emails=order.emails))))
            sink.flush()
            gc.collect()
        runner.run(pool.dispose())


def _read(source: BinaryIO) -> bytes:
    """The next message; empty if there is none."""
    length = source.read(LENGTH_BYTES)
    return source.read(int.from_bytes(length)) if len(length) == LENGTH_BYTES else b""


async def _answer(pool: AsyncEngine, trial: Trial, between: tuple[UUID, UUID], *, emails: bool) -> Answer:
    """The tally of this range. A fault of ours is left to end the process: its trace says where."""
    tally = empty(trial.destinations, trial.days)
    try:
        async for slice_ in known_leads(pool, between):
            for lead, bodies in slice_:
                count(tally, replay(trial, lead, decode_all(bodies)), trial.now, emails=emails)
    except LeadscoreError as error:
        return Answer(error=str(error))
    return Answer(tally=tally)


def _trial(order: Order) -> Trial:
    outline = route_file.outline(order.routing, {})
    return Trial(
        active=_model(order.active),
        draft=_model(order.draft),
        now=order.now,
        days=order.days,
        routes=outline.routes,
        destinations=frozenset(outline.destinations),
    )


def _model(written: Written) -> Compiled:
    lists = {name: frozenset(values) for name, values in written.lists.items()}
    return load_model(written.text, file=written.title, lists=lists)


if __name__ == "__main__":
    main()
