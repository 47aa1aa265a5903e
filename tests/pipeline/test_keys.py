"""Every secret changed under traffic, on real servers: nothing refused for good, nobody twice, all signed."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.faults.aftermath import counted_once, worked_off
from tests.faults.traffic import Traffic, flowing
from tests.faults.watching import all_taken_until_now, counted_more
from tests.installation import PRODUCT_KEY, WEBHOOK_SECRET, Installation
from tests.servers import REPOSITORY
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(240)]


async def typed(leadscore: Installation, *words: str, **environment: str) -> tuple[int, str]:
    """What `leadscore …` says, and its exit code."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.cli", *words],
        cwd=REPOSITORY,
        env={**os.environ, **leadscore.scorer.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def printed(said: str, name: str) -> str:
    """The value that a line `name: value` has."""
    [value] = [line.split()[1] for line in said.splitlines() if line.startswith(f"{name}:")]
    return value


async def test_the_identity_key_is_changed_and_everybody_stays_who_they_are(
    leadscore: Installation,
) -> None:
    """Under traffic: a scorer with the old key ends by itself; with the new one nobody is doubled."""
    known = Traffic(leadscore, Random(815))
    await known.send(200)
    await all_taken_until_now(leadscore)
    before = await leadscore.fetch("SELECT lead_id FROM leads WHERE merged_into IS NULL")
    old = leadscore.scorer.environment["LEADSCORE_IDENTITY_KEY"]
    fresh = printed((await typed(leadscore, "keys", "new", "identity"))[1], "key")
    keys = {"LEADSCORE_IDENTITY_KEY": fresh, "LEADSCORE_IDENTITY_KEYS_BEFORE": old}

    async with flowing(leadscore, Random(816), prefix="again") as traffic:
        await counted_more(leadscore, 50)
        code, said = await typed(leadscore, "keys", "rotate-identity", **keys)
        assert code == 0, said
        assert "identifiers are under the new key" in said
        assert leadscore.scorer.process is not None
        assert await asyncio.wait_for(leadscore.scorer.process.wait(), 60) == 2
        assert "keys are not those" in leadscore.scorer.log.read_text()
        leadscore.scorer.environment = {**leadscore.scorer.environment, **keys}
        await leadscore.scorer.start()
        await counted_more(leadscore, 100)
    await worked_off(leadscore)
    await counted_once(leadscore, [known, traffic])
    assert await leadscore.off() == []
    # The same sixty people and devices as before: each event found whom it belongs to.
    after = await leadscore.fetch("SELECT lead_id, known FROM leads WHERE merged_into IS NULL")
    ids = await leadscore.fetch("SELECT count(*)::int AS n FROM identities WHERE kind = 'anonymous_id'")
    assert ids[0]["n"] <= 60
    assert {row["lead_id"] for row in before} & {row["lead_id"] for row in after}
    code, said = await typed(leadscore, "keys", "rotate-identity")
    assert (code, "nothing to do" in said) == (0, True)
    code, said = await typed(leadscore, "keys", "rotate-identity", LEADSCORE_IDENTITY_KEYS_BEFORE="0" * 20)
    assert (code, "not those with which this database was written" in said) == (1, True)


async def test_write_keys_and_webhook_secrets_overlap_while_they_change(
    leadscore: Installation, tmp_path: Path
) -> None:
    """Old and new key are accepted together, each webhook verifies under both; then the old ones are out."""
    ingest, router = leadscore.services["ingest"], leadscore.services["router"]
    said = (await typed(leadscore, "keys", "new", "write"))[1]
    key, entry = printed(said, "key"), printed(said, "entry")
    secret = printed((await typed(leadscore, "keys", "new", "webhook"))[1], "secret")
    sources, routing = tmp_path / "sources.yaml", tmp_path / "routing.yaml"

    async with flowing(leadscore, Random(817)) as traffic:
        await counted_more(leadscore, 50)
        replace(sources, '["${KEY_PRODUCT}"]', f'["{entry}", "${{KEY_PRODUCT}}"]')
        replace(routing, '["${WEBHOOK_SECRET}"]', f'["{secret}", "${{WEBHOOK_SECRET}}"]')
        for service in (ingest, router):
            await service.stop()
            await service.start()
        seen = len(leadscore.receiver.hits)
        await until(lambda: len(leadscore.receiver.hits) > seen, within_s=60)
        assert await answer(leadscore, key) == await answer(leadscore, PRODUCT_KEY) == 200
    await worked_off(leadscore)
    await counted_once(leadscore, [traffic])
    both = leadscore.receiver.hits[seen:]
    for hit in both:
        for one in (secret, WEBHOOK_SECRET):
            Webhook(one).verify(hit.body, dict(hit.headers))

    replace(sources, ', "${KEY_PRODUCT}"', "")
    await ingest.stop()
    await ingest.start()
    assert (await answer(leadscore, key), await answer(leadscore, PRODUCT_KEY)) == (200, 401)


def replace(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


async def answer(leadscore: Installation, key: str) -> int:
    """The status that an empty batch gets with this key."""
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        return (await client.post("/v1/batch", auth=(key, ""), json={"batch": []})).status_code
