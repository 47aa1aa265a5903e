"""What the embedded servers have in common: a folder, a port, and one child process.

In: nothing of its own. Out: pid, running, wait, stop. How to start is each one's business.
"""

from pathlib import Path

from services.cli.local.process import Child


class LocalServer:
    """A server on 127.0.0.1 that is our child. Stopping twice, or before start, is legal."""

    folder: Path
    port: int = 0
    _child: Child | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    async def wait(self) -> int:
        """Return its exit code when it ends; only meaningful after start."""
        assert self._child is not None
        return await self._child.wait()

    async def stop(self) -> None:
        """Stop it the way its command says, in order: nothing is left to recover."""
        if self._child is not None:
            await self._child.stop()

    @property
    def _data(self) -> Path:
        return self.folder / "data"
