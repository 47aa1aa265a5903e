"""An upgrade of a running installation: the schema while the release before goes on, then each process."""

import asyncio
import subprocess
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cli.migrate import downgrade, upgrade
from shared.topics import Topics
from tests.installation import PRODUCT_KEY, ROOT, Installation, Receiver, Servers, Service, installation
from tests.waiting import until

# The commit that was released last, and the revision of the schema that it was made for.
BEFORE = "594fb439de5a35d69641d7ca39f18e3cafb7620a"
REVISION = "0005"
PEOPLE = 60


@pytest.fixture
def code_of_before(tmp_path: Path) -> Path:
    """The release before, as it was."""
    archive = subprocess.run(
        ["git", "archive", BEFORE, "services", "shared", "deploy"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        pytest.skip(f"this clone has no history back to {BEFORE[:7]}: a whole clone runs this test")
    folder = tmp_path / "before"
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as packed:
        packed.extractall(folder, filter="data")
    return folder


def calls(round_: int) -> list[dict[str, Any]]:
    """What people do in one round: visit; say who they are; use a trial."""
    called: list[dict[str, Any]] = []
    for person in range(PEOPLE):
        called.append(
            {
                "type": "page",
                "anonymousId": f"device-{person}",
                "messageId": f"page-{round_}-{person}",
                "properties": {"path": "/pricing", "url": "https://www.example.com/pricing"},
            }
        )
        called.append(
            {
                "type": "identify",
                "userId": f"user-{person}",
                "anonymousId": f"device-{person}",
                "messageId": f"identify-{round_}-{person}",
                "traits": {"email": f"user-{person}@company-{person % 7}.example", "employees": 100 + person},
            }
        )
        called.append(
            {
                "type": "track",
                "userId": f"user-{person}",
                "event": "Trial Started",
                "messageId": f"trial-{round_}-{person}",
            }
        )
    return called


async def send(leadscore: Installation, round_: int) -> int:
    """Send a round, in batches; the number of events."""
    sent = calls(round_)
    async with httpx.AsyncClient(auth=(PRODUCT_KEY, "")) as client:
        for first in range(0, len(sent), 50):
            answer = await client.post(
                f"{leadscore.ingest}/v1/batch", json={"batch": sent[first : first + 50]}
            )
            assert answer.status_code == 200, answer.text
    return len(sent)


async def replace_each(services: Sequence[Service]) -> None:
    """Stop these processes one after the other, and start each anew with the code of today."""
    for service in services:
        assert await service.stop() == 0
        service.code = ROOT
        await service.start()


@pytest.mark.asyncio
async def test_the_release_before_goes_on_while_the_schema_is_upgraded(
    database: str, topics: Topics, kafka_server: str, tmp_path: Path, code_of_before: Path
) -> None:
    """Old processes on the old schema, on the new one, beside a new scorer; then new ones: counted once."""
    await asyncio.to_thread(downgrade, database, REVISION)
    receiver = Receiver()
    await receiver.start()
    leadscore = installation(Servers(kafka=kafka_server, database=database), topics, receiver, tmp_path)
    for service in leadscore.services.values():
        service.code = code_of_before
    another = leadscore.another_scorer()
    try:
        await leadscore.start()
        sent = await send(leadscore, 0)
        await until(lambda: leadscore.counted(sent), within_s=60)

        going_on = asyncio.create_task(send(leadscore, 1))
        await asyncio.to_thread(upgrade, database)
        sent += await going_on
        await until(lambda: leadscore.counted(sent), within_s=60)

        await another.start()
        sent += await send(leadscore, 2)
        await until(lambda: leadscore.counted(sent), within_s=60)
        assert await leadscore.off() == []

        await replace_each(list(leadscore.services.values()))
        sent += await send(leadscore, 3)
        await until(lambda: leadscore.counted(sent), within_s=60)
        assert await leadscore.off() == []
        books = await leadscore.books()
        assert (books["counted"], books["dead_lettered"], books["quarantined"]) == (sent, 0, 0)
        people = await leadscore.fetch("SELECT count(*)::int AS n FROM leads WHERE merged_into IS NULL")
        assert people[0]["n"] == PEOPLE
    finally:
        await another.stop()
        await leadscore.stop()
        await receiver.stop()
