"""Forms as browsers post them, webhooks as SendGrid posts them."""

import base64
import gzip
import json
from datetime import datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from shared.testing import FrozenClock, MemoryBroker
from tests.ingest.senders import SENDGRID_PRIVATE_KEY, SITE, events, rejected

FIELDS = {"email": "ann@example.com", "company": "ACME", "message": "Call me"}
A_BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "origin": SITE}
HOOK = "/v1/hooks/sendgrid/email"
MAIL = {"email": "ann@example.com", "event": "click", "sg_event_id": "e1", "timestamp": 1767225500}


def signed(body: bytes, at: datetime) -> dict[str, str]:
    """SendGrid's headers for this body."""
    timestamp = str(int(at.timestamp()))
    signature = SENDGRID_PRIVATE_KEY.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }


@pytest.mark.asyncio
async def test_a_browser_is_sent_on(browser: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """An HTML form is answered with 303 to the form's page; the submit is an event."""
    answer = await browser.post("/v1/forms/demo-request", data=FIELDS, headers=A_BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{SITE}/thanks")
    (event,) = events(broker)
    assert (event["name"], event["kind"], event["source"]) == ("form.submitted", "form", "forms")
    assert event["email"] == "ann@example.com"
    assert event["traits"] == {"email": "ann@example.com", "company": "ACME"}
    assert event["properties"] == {"message": "Call me", "form": "demo-request"}


@pytest.mark.asyncio
async def test_a_form_without_a_page_of_its_own_thanks(browser: httpx.AsyncClient) -> None:
    """The browser goes to our page, which is there, and which nobody can use to run scripts."""
    answer = await browser.post("/v1/forms/contact", data=FIELDS, headers=A_BROWSER)
    assert answer.headers["location"] == "/v1/forms/thanks"
    page = await browser.get("/v1/forms/thanks")
    assert page.status_code == 200
    assert "Thank you" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.asyncio
async def test_a_script_gets_json(browser: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Fetch with JSON or multipart is answered with JSON, not with a redirect."""
    headers = {"accept": "*/*", "origin": SITE}
    as_json = await browser.post("/v1/forms/contact", json=FIELDS, headers=headers)
    parts = {name: (None, value) for name, value in FIELDS.items()}
    as_parts = await browser.post("/v1/forms/contact", files=parts, headers=headers)
    assert [answer.json() for answer in (as_json, as_parts)] == [
        {"success": True, "accepted": 1, "rejected": 0}
    ] * 2
    first, second = events(broker)
    assert first["event_id"] == second["event_id"], "the same words on the same day are the same event"


@pytest.mark.asyncio
async def test_machines_are_thanked_too(browser: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Who fills the honeypot learns nothing; the event is marked."""
    trapped = {**FIELDS, "website_url": "https://spam.example"}
    answer = await browser.post("/v1/forms/contact", data=trapped, headers=A_BROWSER)
    assert answer.status_code == 303
    assert events(broker)[0]["machine"] == {"reason": "honeypot"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("form", "fields", "headers", "status", "code"),
    [
        ("nothing", FIELDS, {}, 404, "unknown_form"),
        ("contact", FIELDS, {"origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ("contact", {"message": "who am I"}, {}, 400, "no_identity"),
        ("contact", {"email": "ann@"}, {}, 400, "no_identity"),
        ("contact", {}, {}, 400, "invalid_form"),
    ],
)
async def test_forms_that_are_refused(  # noqa: PLR0917 - a table has columns
    browser: httpx.AsyncClient,
    form: str,
    fields: dict[str, str],
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    """Unknown forms, foreign pages, nobody to call back."""
    answer = await browser.post(f"/v1/forms/{form}", data=fields, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]


@pytest.mark.asyncio
async def test_signed_mail_events(
    browser: httpx.AsyncClient, broker: MemoryBroker, clock: FrozenClock
) -> None:
    """A signed batch becomes e-mail events; an unknown one in it is rejected alone, with 200."""
    body = json.dumps(
        [MAIL, {**MAIL, "event": "teleported"}, {**MAIL, "event": "open", "sg_machine_open": True}]
    )
    answer = await browser.post(HOOK, content=body, headers=signed(body.encode(), clock.now()))
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (200, 2, 1)
    click, opened = events(broker)
    assert (click["name"], click["kind"], click["email"]) == ("email.clicked", "email", "ann@example.com")
    assert click["occurred_at"] == "2025-12-31T23:58:20Z"
    assert opened["machine"] == {"reason": "apple_privacy"}
    assert rejected(broker)[0]["code"] == "unknown_event"


@pytest.mark.asyncio
async def test_signed_nonsense_is_kept_and_not_sent_again(
    browser: httpx.AsyncClient, broker: MemoryBroker, clock: FrozenClock
) -> None:
    """A body that is proven but not understood gets 200: any other answer repeats it for a day."""
    body = b'{"not": "a list"}'
    answer = await browser.post(HOOK, content=body, headers=signed(body, clock.now()))
    assert (answer.status_code, answer.json()["rejected"]) == (200, 1)
    assert base64.b64decode(str(rejected(broker)[0]["raw"])) == body


@pytest.mark.asyncio
async def test_the_signature_is_of_what_came(
    browser: httpx.AsyncClient, broker: MemoryBroker, clock: FrozenClock
) -> None:
    """A packed body is verified as it came over the wire, and unpacked only then."""
    body = gzip.compress(json.dumps([MAIL]).encode())
    answer = await browser.post(HOOK, content=body, headers=signed(body, clock.now()))
    assert answer.json() == {"success": True, "accepted": 1, "rejected": 0}


@pytest.mark.asyncio
async def test_large_mail_batches_pass(
    browser: httpx.AsyncClient, broker: MemoryBroker, clock: FrozenClock
) -> None:
    """SendGrid fills its bodies up to 768 KB, more than we take from others."""
    body = json.dumps(
        [{**MAIL, "sg_event_id": str(number), "x": "y" * 700} for number in range(900)]
    ).encode()
    assert len(body) > 700_000
    answer = await browser.post(HOOK, content=body, headers=signed(body, clock.now()))
    assert answer.json() == {"success": True, "accepted": 900, "rejected": 0}


@pytest.mark.asyncio
async def test_unsigned_tampered_and_stale_are_401(
    browser: httpx.AsyncClient, broker: MemoryBroker, clock: FrozenClock
) -> None:
    """Nobody is proven to have sent it: refused as a whole, nothing kept."""
    body = json.dumps([MAIL]).encode()
    now = clock.now()
    for content, headers, code in (
        (body, {}, "invalid_signature"),
        (body + b" ", signed(body, now), "invalid_signature"),
        (body, signed(body, now - timedelta(days=2)), "stale_signature"),
    ):
        answer = await browser.post(HOOK, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert broker.records == []


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_probes_find_the_hook(browser: httpx.AsyncClient, method: str) -> None:
    """Providers look whether the address answers before they take it."""
    assert (await browser.request(method, HOOK)).status_code == 200


@pytest.mark.asyncio
async def test_a_source_without_a_hook_has_none(browser: httpx.AsyncClient) -> None:
    """Another source's name is no way in."""
    answer = await browser.post("/v1/hooks/sendgrid/product", content=b"[]")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_hook")


@pytest.mark.asyncio
async def test_a_refused_form_is_kept_without_secrets(
    browser: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    """A mistyped address beside a password: what is kept for somebody to look at does not have it."""
    fields = {"email": "ann@engines", "password": "hunter2", "company": "ACME"}
    answer = await browser.post("/v1/forms/contact", data=fields, headers=A_BROWSER)
    assert answer.status_code == 400
    raw = base64.b64decode(str(rejected(broker)[0]["raw"]))
    assert json.loads(raw) == {"email": "ann@engines", "company": "ACME"}
    parts = b"--x\r\nbroken password=hunter2"
    kind = {**A_BROWSER, "content-type": "multipart/form-data; boundary=x"}
    assert (await browser.post("/v1/forms/contact", content=parts, headers=kind)).status_code == 400
    assert base64.b64decode(str(rejected(broker)[1]["raw"])) == b""


@pytest.mark.asyncio
async def test_a_form_larger_than_an_event_is_refused_and_kept(
    browser: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    """As any other event is; what is kept of it says how much it was."""
    fields = {"email": "ann@engines.example", "message": "x" * 40_000}
    answer = await browser.post("/v1/forms/contact", data=fields, headers=A_BROWSER)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    (kept,) = rejected(broker)
    assert (kept["code"], int(str(kept["raw_bytes"])) > 40_000, events(broker)) == ("too_large", True, [])
