"""Worker processes, started before anybody knows what they shall do.

In: how many. Out: processes that wait for an order (worker.py) on their stdin.
Refuses to leave one behind: they are killed however this ends, and end by themselves if we are killed.

A Python with all that a worker imports takes a second to come up. This module imports next to nothing, so
that the command can start them first and import its own half meanwhile.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

MODULE = "services.cli.model.plan.worker"


@asynccontextmanager
async def coming_up(workers: int) -> AsyncIterator[list[Process]]:
    """So many processes, which are there until the block ends."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_worker()) for _ in range(workers)]


@asynccontextmanager
async def _worker() -> AsyncIterator[Process]:
    """A worker in a session of its own: Ctrl-C is for us, and we end it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # To the end of its pipes, so that nothing is left open when the loop ends.
        await process.communicate()
