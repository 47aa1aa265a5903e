"""One person in two systems, on the real servers: told to the CRM under its own id, and taken apart again."""

import asyncio
import json
import os
import sys
from typing import Any

import httpx
import pytest

from tests.installation import CRM_KEY, PRODUCT_KEY, WEBSITE_KEY, Installation
from tests.waiting import until

pytestmark = pytest.mark.asyncio

ADA = "ada@engines.example"


async def post(leadscore: Installation, key: str, call: str, body: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        answer = await client.post(f"/v1/{call}", auth=(key, ""), json=body)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1), answer.text


async def leadscore_command(leadscore: Installation, *argv: str) -> str:
    """What a command says that somebody types beside the running installation."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *argv),
        env={**os.environ, **leadscore.scorer.environment, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return said.decode()


def told(leadscore: Installation) -> list[dict[str, Any]]:
    """The bodies that the CRM's webhook has received."""
    return [json.loads(hit.body) for hit in leadscore.receiver.hits]


async def test_a_person_of_two_systems_is_one_lead_and_can_be_taken_apart(leadscore: Installation) -> None:
    """The CRM finds its record by the id in the transition; unmerge reaches it in order."""
    await post(leadscore, CRM_KEY, "identify", {"userId": "contact-815"})
    await post(leadscore, PRODUCT_KEY, "identify", {"userId": "user-1", "traits": {"email": ADA}})
    await until(lambda: leadscore.counted(2))
    contact = json.loads(await leadscore_command(leadscore, "lead", "show", "crm:contact-815", "--json"))
    named = {"userId": "contact-815", "traits": {"email": ADA, "company": "Engines"}}
    await post(leadscore, CRM_KEY, "identify", named)
    form = {"email": ADA, "name": "Ada", "company": "Engines Ltd"}
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        await client.post(f"/v1/forms/demo-request?writeKey={WEBSITE_KEY}", data=form)
    await until(lambda: len(told(leadscore)) >= 1)

    first = told(leadscore)[0]["data"]
    assert first["stage"] == "mql"
    assert first["person"]["ids"] == {"product": "user-1", "crm": "contact-815"}

    said = await leadscore_command(leadscore, "lead", "unmerge", ADA)
    assert "is its own again" in said
    await until(lambda: any(body["type"] == "lead.unmerged" for body in told(leadscore)))
    parted = next(body["data"] for body in told(leadscore) if body["type"] == "lead.unmerged")
    assert parted["lead"] == first["lead"]
    assert parted["sequence"] == first["sequence"] + 1
    shown = [
        json.loads(await leadscore_command(leadscore, "lead", "show", who, "--json"))["lead"]
        for who in ("crm:contact-815", "user-1")
    ]
    assert len(set(shown)) == 2
    assert contact["lead"] in shown
    assert set(parted["other_leads"]) == set(shown) - {parted["lead"]}
