"""The demo's senders, against a real HTTP server that writes down what it gets."""

import gzip
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sendgrid import EventWebhook

from services.cli.demo.calls import Call
from services.cli.demo.forms import Submit
from services.cli.demo.mails import Mailed
from services.cli.demo.send import Address, Browser, Mailer, Shop
from tests.cli.demo.conftest import Listener

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _calls(number: int) -> list[Call]:
    return [
        Call(
            at=NOW,
            method="track",
            arguments={"anonymous_id": "a", "event": "search", "message_id": f"m-{at}", "timestamp": NOW},
        )
        for at in range(number)
    ]


def test_the_sdk_has_sent_everything_when_finished(listener: Listener, address: Address) -> None:
    """250 calls are with the server after finish, gzipped, in batches of at most 100, ids kept."""
    shop = Shop(address)
    shop.send(_calls(250))
    shop.finish()
    batches = [json.loads(gzip.decompress(request.body))["batch"] for request in listener.got]
    shop.close()
    assert max(map(len, batches)) <= 100
    assert [item["messageId"] for batch in batches for item in batch] == [f"m-{at}" for at in range(250)]
    assert shop.refused == 0
    assert {request.headers["content-encoding"] for request in listener.got} == {"gzip"}


def test_what_the_sdk_gives_up_is_counted(listener: Listener, address: Address) -> None:
    """Events of a batch that the server refuses for good are counted as refused."""
    listener.status = 400
    shop = Shop(address, gzip=False)
    shop.send(_calls(30))
    shop.finish()
    shop.close()
    assert shop.refused == 30


def test_calls_do_not_pile_up(listener: Listener, address: Address) -> None:
    """However many calls are made at once, only a few hundred are unsent when send returns."""
    shop = Shop(address)
    shop.send(_calls(1500))
    assert shop.unsent <= 500
    shop.finish()
    shop.close()
    assert shop.unsent == 0


def test_webhooks_verify_with_sendgrids_own_library(listener: Listener, address: Address) -> None:
    """Each post's signature verifies with SendGrid's library and the public key, and not for another body."""
    mailer = Mailer(address)
    mailer.send([Mailed(at=NOW, event={"event": "open", "sg_event_id": str(at)}) for at in range(250)])
    mailer.close()
    shown = (
        address.mail_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    )
    webhook = EventWebhook("".join(shown.splitlines()[1:-1]))
    for request in listener.got:
        signature = request.headers["x-twilio-email-event-webhook-signature"]
        at = request.headers["x-twilio-email-event-webhook-timestamp"]
        assert webhook.verify_signature(request.body.decode(), signature, at)
        assert not webhook.verify_signature(request.body.decode() + " ", signature, at)
    assert [len(json.loads(request.body)) for request in listener.got] == [200, 50]
    assert {request.path for request in listener.got} == {"/v1/hooks/sendgrid/mail"}


def test_refused_webhooks_are_counted_by_event(listener: Listener, address: Address) -> None:
    """A post that is not taken counts all its events as refused."""
    listener.status = 401
    mailer = Mailer(address)
    mailer.send([Mailed(at=NOW, event={"event": "open"})] * 3)
    mailer.close()
    assert mailer.refused == 3


def test_forms_look_like_a_browsers(listener: Listener, address: Address) -> None:
    """A form is posted urlencoded, with the public key in the query, an origin and a browser's name."""
    browser = Browser(address)
    browser.send(
        [Submit(form="contact", fields={"email": "a@b.example", "name": "Ä"}, user_agent="Mozilla/5.0")]
    )
    browser.close()
    [request] = listener.got
    assert urlsplit(request.path).path == "/v1/forms/contact"
    assert parse_qs(urlsplit(request.path).query) == {"writeKey": ["site-key-0123456789"]}
    assert parse_qs(request.body.decode()) == {"email": ["a@b.example"], "name": ["Ä"]}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["origin"] == "https://www.example.com"
    assert request.headers["user-agent"] == "Mozilla/5.0"
    assert browser.refused == 0


def test_refused_forms_are_counted(listener: Listener, address: Address) -> None:
    """A form answered with an error counts as refused."""
    listener.status = 404
    browser = Browser(address)
    browser.send([Submit(form="no-such", fields={"email": "a@b.example"}, user_agent="Mozilla/5.0")])
    browser.close()
    assert browser.refused == 1
