"""Workers that replay ranges of leads at the same time.

In: their processes; an order, ranges. Out: the sum of their tallies; a call for each part that is done.
Refuses to go on without one of them: what it was given would be missing.
"""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from services.cli.model.plan.read import Range
from services.cli.model.plan.tally import Tally, merge
from services.cli.model.plan.worker import LENGTH_BYTES, Answer, Order, frame
from shared.errors import LeadscoreError


class WorkerDiedError(LeadscoreError):
    """A worker ended before it was done."""


class Crew:
    """Processes on one job."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = processes
        self._sum: Tally | None = None

    async def replay(
        self, order: Order, ranges: AsyncIterator[Range], done: Callable[[Tally], None]
    ) -> Tally | None:
        """The sum over all ranges, None if there are none.

            done:  called with each finished part

        Raises WorkerDiedError, and LeadscoreError with what a worker said.
        """
        turn = asyncio.Lock()
        try:
            async with asyncio.TaskGroup() as group:
                for process in self._processes:
                    group.create_task(self._drive(process, order, _in_turn(ranges, turn), done))
        except ExceptionGroup as errors:
            # The first one stopped the others.
            raise errors.exceptions[0] from errors
        return self._sum

    async def _drive(
        self, process: Process, order: Order, ranges: AsyncIterator[Range], done: Callable[[Tally], None]
    ) -> None:
        """One worker: give it ranges until there are none."""
        await _send(process, frame(order))
        async for between in ranges:
            await _send(process, frame(between))
            tally = await _tally(process)
            self._sum = tally if self._sum is None else merge(self._sum, tally)
            done(tally)


async def _in_turn(ranges: AsyncIterator[Range], turn: asyncio.Lock) -> AsyncIterator[Range]:
    """Ranges that several take from one source, one at a time."""
    while True:
        async with turn:
            between = await anext(ranges, None)
        if between is None:
            return
        yield between


async def _send(process: Process, message: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(message)
    try:
        await process.stdin.drain()
    except ConnectionError as error:
        raise await _died(process) from error


async def _tally(process: Process) -> Tally:
    assert process.stdout is not None
    try:
        length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES))
        body = await process.stdout.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise await _died(process) from error
    answer = msgspec.msgpack.decode(body, type=Answer)
    if answer.tally is None:
        raise LeadscoreError(answer.error)
    return answer.tally


async def _died(process: Process) -> WorkerDiedError:
    code = await process.wait()
    return WorkerDiedError(
        f"a worker of the plan ended with code {code} before it was done. "
        "Its last words are above; -9 means that the machine has no memory left: try --workers 1"
    )
