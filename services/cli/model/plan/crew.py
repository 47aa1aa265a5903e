"""Workers: processes that replay ranges of leads at the same time.

In: an order, ranges, how many. Out: the sum of their tallies; a call for each part that is done.
Refuses to leave one behind: they are killed however this ends, and end by themselves if we are killed.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec

from services.cli.model.plan.read import Range
from services.cli.model.plan.tally import Tally, merge
from services.cli.model.plan.worker import LENGTH_BYTES, Answer, Order, frame
from shared.errors import LeadscoreError

MODULE = "services.cli.model.plan.worker"


class WorkerDiedError(LeadscoreError):
    """A worker ended before it was done."""


class Crew:
    """Workers on one job.

    environment:  of the workers; DATABASE_URL is in it
    done:         called with each finished part
    """

    def __init__(
        self, order: Order, *, environment: Mapping[str, str], done: Callable[[Tally], None]
    ) -> None:
        self._order = order
        self._environment = {**os.environ, **environment}
        self._done = done
        self._sum: Tally | None = None

    async def replay(self, ranges: AsyncIterator[Range], workers: int) -> Tally | None:
        """The sum over all ranges, None if there are none.

        Raises WorkerDiedError, and LeadscoreError with what a worker said.
        """
        turn = asyncio.Lock()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._drive(ranges, turn))
        except ExceptionGroup as errors:
            # The first one stopped the others.
            raise errors.exceptions[0] from errors
        return self._sum

    async def _drive(self, ranges: AsyncIterator[Range], turn: asyncio.Lock) -> None:
        """One worker: give it ranges until there are none."""
        async with _worker(self._environment) as process:
            await _send(process, frame(self._order))
            while True:
                async with turn:
                    between = await anext(ranges, None)
                if between is None:
                    return
                await _send(process, frame(between))
                tally = await _tally(process)
                self._sum = tally if self._sum is None else merge(self._sum, tally)
                self._done(tally)


@asynccontextmanager
async def _worker(environment: Mapping[str, str]) -> AsyncIterator[Process]:
    """A worker in a session of its own: Ctrl-C is for us, and we end it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # To the end of its pipes, so that nothing is left open when the loop ends.
        await process.communicate()


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
