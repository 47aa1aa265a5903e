"""SendGrid's event webhook: signatures and events. The oracle is SendGrid's own package."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sendgrid.helpers.eventwebhook import EventWebhook

from services.ingest.registry import Registry
from services.ingest.sources.providers import sendgrid
from shared.errors import Invalid
from tests.ingest.senders import SENDGRID_PRIVATE_KEY, SENDGRID_PUBLIC_KEY

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BODY = b'[{"email":"a@example.com","event":"open","sg_event_id":"e1"}]'


def signed(
    body: bytes, at: datetime, key: ec.EllipticCurvePrivateKey = SENDGRID_PRIVATE_KEY
) -> dict[bytes, bytes]:
    """The headers with which SendGrid sends this body."""
    timestamp = str(int(at.timestamp())).encode()
    signature = key.sign(timestamp + body, ec.ECDSA(SHA256()))
    return {sendgrid.SIGNATURE_HEADER: base64.b64encode(signature), sendgrid.TIMESTAMP_HEADER: timestamp}


def refusal(registry: Registry, body: bytes, headers: dict[bytes, bytes]) -> str:
    """The code with which this body is refused."""
    with pytest.raises(Invalid) as refused:
        sendgrid.verify(body, headers, registry.hook("sendgrid", "email")[1], NOW)
    return refused.value.code


def test_what_sendgrids_own_package_accepts_we_accept(registry: Registry) -> None:
    """Our signing in tests is SendGrid's, and so is our verifying."""
    headers = signed(BODY, NOW)
    signature, timestamp = (
        headers[name].decode() for name in (sendgrid.SIGNATURE_HEADER, sendgrid.TIMESTAMP_HEADER)
    )
    webhook = EventWebhook(public_key=SENDGRID_PUBLIC_KEY)
    assert webhook.verify_signature(BODY.decode(), signature, timestamp)
    sendgrid.verify(BODY, headers, registry.hook("sendgrid", "email")[1], NOW)


def test_every_tampering_breaks_the_signature(registry: Registry) -> None:
    """Another body, another time, another key, no signature, no base64."""
    good = signed(BODY, NOW)
    later = str(int(NOW.timestamp()) + 1).encode()
    other_key = ec.generate_private_key(ec.SECP256R1())
    assert refusal(registry, BODY.replace(b"open", b"clic"), good) == "invalid_signature"
    assert refusal(registry, BODY, {**good, sendgrid.TIMESTAMP_HEADER: later}) == "invalid_signature"
    assert refusal(registry, BODY, signed(BODY, NOW, other_key)) == "invalid_signature"
    assert (
        refusal(registry, BODY, {sendgrid.TIMESTAMP_HEADER: good[sendgrid.TIMESTAMP_HEADER]})
        == "invalid_signature"
    )
    assert refusal(registry, BODY, {**good, sendgrid.SIGNATURE_HEADER: b"?"}) == "invalid_signature"
    assert refusal(registry, BODY, {}) == "invalid_signature"


@pytest.mark.parametrize("age", [timedelta(hours=24), timedelta(minutes=-4)])
def test_sendgrids_retries_are_taken(registry: Registry, age: timedelta) -> None:
    """SendGrid retries for 24 hours, and clocks differ a little: neither raises."""
    sendgrid.verify(BODY, signed(BODY, NOW - age), registry.hook("sendgrid", "email")[1], NOW)


@pytest.mark.parametrize("age", [timedelta(hours=26), timedelta(minutes=-6)])
def test_stale_signatures_are_refused(registry: Registry, age: timedelta) -> None:
    """A recorded body cannot be replayed for ever, nor signed ahead."""
    assert refusal(registry, BODY, signed(BODY, NOW - age)) == "stale_signature"


def test_a_signed_timestamp_that_is_none_is_stale(registry: Registry) -> None:
    """What nobody can read is not fresh."""
    signature = SENDGRID_PRIVATE_KEY.sign(b"soon" + BODY, ec.ECDSA(SHA256()))
    headers = {sendgrid.SIGNATURE_HEADER: base64.b64encode(signature), sendgrid.TIMESTAMP_HEADER: b"soon"}
    assert refusal(registry, BODY, headers) == "stale_signature"


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("delivered", "email.delivered"),
        ("open", "email.opened"),
        ("click", "email.clicked"),
        ("bounce", "email.bounced"),
        ("unsubscribe", "email.unsubscribed"),
        ("group_unsubscribe", "email.unsubscribed"),
        ("spamreport", "email.complained"),
    ],
)
def test_events_have_our_names(event: str, name: str) -> None:
    """SendGrid's word for it is not ours."""
    assert sendgrid.draft({"event": event}, b"").name == name


@pytest.mark.parametrize("event", [None, "", "opened", 7, ["open"], {"a": 1}])
def test_unknown_events_are_refused(event: Any) -> None:
    """A new kind of event is kept as rejected until somebody gives it a name."""
    with pytest.raises(Invalid) as refused:
        sendgrid.draft({"event": event}, b"")
    assert refused.value.code == "unknown_event"


def test_parts_go_to_their_places() -> None:
    """The event id names the event, the recipient identifies, all other fields describe."""
    item = {
        "event": "click",
        "email": "a@example.com",
        "timestamp": 1767225600,
        "sg_event_id": "e1",
        "sg_message_id": "m1",
        "category": ["newsletter"],
        "url": "https://shop.example/?utm_source=newsletter",
        "ip": "203.0.113.7",
        "useragent": "Mozilla/5.0",
        "user_id": "u1",
    }
    found = sendgrid.draft(item, json.dumps(item).encode())
    assert (found.kind, found.message_id, found.emails, found.user_id) == (
        "email",
        "e1",
        ("a@example.com",),
        "u1",
    )
    assert found.occurred == 1767225600
    assert found.properties == {
        "provider": "sendgrid",
        "sg_message_id": "m1",
        "category": ["newsletter"],
        "url": "https://shop.example/?utm_source=newsletter",
    }
    assert found.context == {
        "userAgent": "Mozilla/5.0",
        "ip": "203.0.113.7",
        "page": {"url": "https://shop.example/?utm_source=newsletter"},
    }


def test_apples_proxy_is_a_machine() -> None:
    """An open that Apple's mail program made by itself is marked."""
    assert sendgrid.draft({"event": "open", "sg_machine_open": True}, b"").machine == "apple_privacy"
    assert sendgrid.draft({"event": "open", "sg_machine_open": False}, b"").machine == ""


def test_without_an_id_the_bytes_name_the_event() -> None:
    """A resent item is the same event, another item another."""
    first, again, other = (sendgrid.draft({"event": "open"}, raw) for raw in (b"1", b"1", b"2"))
    assert first.fingerprint == again.fingerprint != other.fingerprint
