"""A person objects, on the real servers: the score is gone and the CRM knows, within seconds."""

import json
import time

import httpx
import pytest

from tests.installation import PRODUCT_KEY, WEBSITE_KEY, Installation
from tests.pipeline.test_one_person_one_lead import leadscore_command, post, told
from tests.waiting import until

pytestmark = pytest.mark.asyncio

ADA = "ada@engines.example"


async def test_an_objection_stops_scoring_and_reaches_the_crm(leadscore: Installation) -> None:
    """By the command, and taken back by a server; a public key may do neither."""
    form = {"email": ADA, "name": "Ada", "company": "Engines Ltd", "consent_marketing": "on"}
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        await client.post(f"/v1/forms/demo-request?writeKey={WEBSITE_KEY}", data=form)
    await until(lambda: len(told(leadscore)) >= 1)
    began = time.monotonic()
    said = await leadscore_command(leadscore, "person", "object", ADA, "--by", "Eva", "--note", "a letter")
    assert "is not scored any more, nor delivered" in said
    await until(lambda: told(leadscore)[-1]["type"] == "lead.objected")
    assert time.monotonic() - began < 20
    first, last = told(leadscore)[0]["data"], told(leadscore)[-1]["data"]
    assert (last["lead"], last["sequence"], last["objected"]) == (first["lead"], first["sequence"] + 1, True)
    assert (last["score"], last["consent"]) == (0, {"marketing": True})
    shown = json.loads(await leadscore_command(leadscore, "lead", "show", ADA, "--json"))
    assert (shown["score"], shown["stage"]) == (0, first["stage"])

    taken_back = {
        "event": "person.objection_withdrawn",
        "userId": "user-1",
        "context": {"traits": {"email": ADA}},
    }
    async with httpx.AsyncClient(base_url=leadscore.ingest) as client:
        refused = await client.post("/v1/track", auth=(WEBSITE_KEY, ""), json=taken_back)
    assert (refused.status_code, refused.json()["code"]) == (400, "not_allowed")
    await post(leadscore, PRODUCT_KEY, "track", taken_back)
    await until(lambda: told(leadscore)[-1]["data"].get("objected") is False)
