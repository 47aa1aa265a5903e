"""To add a destination is to add one file; of those that want the latest state only the newest goes out."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import __main__ as router
from services.router import queue, route_file
from services.router.destination import kinds
from services.router.settings import RouterSettings
from shared.errors import Misconfigured
from shared.ids import LeadId
from shared.lifecycle import run
from shared.testing import MemoryBroker
from tests.router.situations import eventually_row, write_delivery, write_transition

LEAD, OTHER = LeadId(UUID(int=1)), LeadId(UUID(int=2))
FOLDER_CRM = '''
"""A CRM that is a folder: one file per lead, with its stage."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.router.destination import DestinationShape, Kind, Settings
from services.router.retry import Delivered


class Shape(DestinationShape):
    kind: Literal["folder"]
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder(Settings):
    folder: str


@dataclass(frozen=True)
class Writer:
    folder: str

    async def send(self, delivery):
        with (Path(self.folder) / str(delivery.lead_id)).open("ab") as file:
            file.write(delivery.body + b"\\n")
        return Delivered()

    async def stop(self):
        pass


def read(shape, reading):
    if not Path(shape.folder).is_dir():
        reading.mistakes.add((*reading.where, "folder"), f"no folder {shape.folder}. Make it")
    return Folder(name=shape.name, language=reading.language, in_flight=4, folder=shape.folder)


KIND = Kind(
    name="folder",
    shape=Shape,
    wants="latest",
    read=read,
    sender=lambda settings, services: Writer(settings.folder),
    render=lambda transition, language: f"{transition.sequence} {transition.stage}".encode(),
)
'''
ROUTING = """
version: 1
destinations:
  - {{name: crm, kind: folder, folder: "{folder}"}}
routes:
  - {{name: all, to: [crm]}}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of somebody else's with one module."""
    folder = tmp_path / "our_destinations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "folder_crm.py").write_text(FOLDER_CRM)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "our_destinations"
    for name in [name for name in sys.modules if name.startswith("our_destinations")]:
        del sys.modules[name]


@asynccontextmanager
async def running(package: str, database: str, pool: AsyncEngine, written: Path) -> AsyncIterator[None]:
    """A whole router whose only destination is that folder."""
    routing = route_file.parse(ROUTING.format(folder=written), {}, known=kinds([package]))
    configured = RouterSettings.model_validate({"DATABASE_URL": database, "admin_port": 0, "drain_s": 2})
    stopping = asyncio.Event()
    whole = asyncio.create_task(
        run(router.parts(configured, routing, pool, MemoryBroker()), stopping=stopping)
    )
    try:
        yield
    finally:
        stopping.set()
        await whole


@pytest.mark.asyncio
async def test_a_delivery_goes_out_by_a_destination_that_is_one_file(
    package: str, database: str, pool: AsyncEngine, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    """Settings, body and sending are all in the module; the row says that it wants the latest state."""
    written = tmp_path / "written"
    written.mkdir()
    async with running(package, database, pool, written):
        await write_transition(sql, lead=LEAD, stage="sql")
        row = await eventually_row(sql, "SELECT kind FROM deliveries WHERE state = 'delivered'")
    assert row["kind"] == "latest"
    assert (written / str(LEAD)).read_text().strip() == "1 sql"


@pytest.mark.asyncio
async def test_a_router_sends_the_newest_of_what_waits(
    package: str, database: str, pool: AsyncEngine, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    """Three states of a lead wait when the router starts: the CRM hears of the last one only."""
    written = tmp_path / "written"
    written.mkdir()
    for sequence in (1, 2, 3):
        await write_delivery(sql, lead=LEAD, sequence=sequence, kind="latest", body=b"%d" % sequence)
    async with running(package, database, pool, written):
        await eventually_row(sql, "SELECT 1 FROM deliveries WHERE sequence = 3 AND state = 'delivered'")
    assert (written / str(LEAD)).read_text().split() == ["3"]
    states = await sql.fetch("SELECT state FROM deliveries ORDER BY sequence")
    assert [row["state"] for row in states] == ["superseded", "superseded", "delivered"]


def test_its_own_mistakes_are_told_with_their_line(package: str) -> None:
    """What the module notes is listed like every other mistake of the file."""
    with pytest.raises(Misconfigured) as refused:
        route_file.parse(ROUTING.format(folder="/nowhere"), {}, known=kinds([package]))
    assert "routing.yaml:4" in str(refused.value)
    assert "no folder /nowhere. Make it" in str(refused.value)


def test_a_package_that_is_not_there_is_told() -> None:
    """A start says which name is wrong and where it comes from."""
    with pytest.raises(Misconfigured, match="LEADSCORE_ROUTER_DESTINATIONS"):
        kinds(["nobodys_destinations"])


@pytest.mark.asyncio
async def test_only_the_newest_of_a_lead_is_sent_where_the_latest_counts(sql: asyncpg.Connection) -> None:
    """Three wait: the first two are superseded; another lead and every-transition rows are left alone."""
    for sequence in (1, 2, 3):
        await write_delivery(sql, lead=LEAD, sequence=sequence, kind="latest")
    await write_delivery(sql, lead=OTHER, sequence=1, kind="latest")
    for sequence in (4, 5):
        await write_delivery(sql, lead=OTHER, sequence=sequence, kind="every", destination="queue")
    assert await queue.supersede(sql, "crm") == 2
    assert await queue.supersede(sql, "queue") == 0
    claimed = await queue.claim(sql, "crm", limit=10, token=uuid4(), lease_s=60)
    assert {(one.lead_id, one.sequence) for one in claimed} == {(LEAD, 3), (OTHER, 1)}
    rows = await sql.fetch("SELECT sequence FROM deliveries WHERE state = 'superseded' ORDER BY sequence")
    assert [row["sequence"] for row in rows] == [1, 2]


@pytest.mark.asyncio
async def test_what_is_under_way_is_not_superseded_and_holds_up_the_newer(sql: asyncpg.Connection) -> None:
    """The answer to the older one may still come; if it fails, it is the newer one's turn at once."""
    await write_delivery(sql, lead=LEAD, sequence=1, kind="latest")
    [first] = await queue.claim(sql, "crm", limit=10, token=uuid4(), lease_s=60)
    await write_delivery(sql, lead=LEAD, sequence=2, kind="latest")
    assert await queue.supersede(sql, "crm") == 0
    assert await queue.claim(sql, "crm", limit=10, token=uuid4(), lease_s=60) == []
    assert await queue.retry_at(sql, first, await queue.now(sql), 500, "server_error: ")
    assert await queue.supersede(sql, "crm") == 1
    assert [one.sequence for one in await queue.claim(sql, "crm", limit=10, token=uuid4(), lease_s=60)] == [2]
