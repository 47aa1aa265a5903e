"""What people do → HTTP, exactly as real senders send it.

In: calls, mails and submits. Out: requests to ingest; how many events went out and how many were refused.
Refuses to imitate the SDK: it is Segment's own, unmodified; webhooks are signed as SendGrid signs them, and
forms are posted as a browser posts them.

Blocking, because the SDK is: run it in a thread.
"""

import base64
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from segment.analytics import Client

from services.cli.demo.calls import SHOP, Call
from services.cli.demo.forms import Submit
from services.cli.demo.mails import Mailed

# What SendGrid collects for half a minute is rarely more; well below any body limit.
_MAILS_AT_ONCE: Final = 200
_TIMEOUT_S: Final = 20.0
_UNSENT_CALLS: Final = 500
_PAUSE_S: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the demo sends, and what it proves itself with.

    ingest:       base URL of ingest
    server_key:   write key of the shop's server
    site_key:     public write key of the shop's web pages
    mail_source:  id of the e-mail source in sources.yaml
    mail_key:     the key that signs its webhooks
    """

    ingest: str
    server_key: str
    site_key: str
    mail_source: str
    mail_key: EllipticCurvePrivateKey


class Shop:
    """The shop's server with Segment's SDK; `refused` counts events the SDK gave up."""

    def __init__(self, address: Address, *, gzip: bool = True) -> None:
        self.refused = 0
        self._client = Client(
            address.server_key, host=address.ingest, gzip=gzip, on_error=self._refuse, max_queue_size=0
        )

    def send(self, calls: Iterable[Call]) -> None:
        """Make these calls; return when so few are unsent that the SDK only just keeps busy.

        Not flushed each time: the SDK waits up to half a second for a batch to become full.
        """
        for call in calls:
            getattr(self._client, call.method)(**call.arguments)
        while self.unsent > _UNSENT_CALLS:
            time.sleep(_PAUSE_S)

    @property
    def unsent(self) -> int:
        """Calls that the SDK has queued, roughly."""
        return int(self._client.queue.qsize())

    def finish(self) -> None:
        """Return when the SDK has sent everything, or given it up."""
        self._client.flush()

    def close(self) -> None:
        self._client.shutdown()

    def _refuse(self, _error: Exception, batch: Sequence[Any]) -> None:
        self.refused += len(batch)


class Mailer:
    """SendGrid's event webhook; `refused` counts events whose post was not answered with 2xx."""

    def __init__(self, address: Address) -> None:
        self.refused = 0
        self._address = address
        self._client = httpx.Client(base_url=address.ingest, timeout=_TIMEOUT_S)

    def send(self, mails: Sequence[Mailed]) -> None:
        """Post these events in signed batches."""
        for start in range(0, len(mails), _MAILS_AT_ONCE):
            batch = [dict(mail.event) for mail in mails[start : start + _MAILS_AT_ONCE]]
            body = json.dumps(batch).encode()
            response = self._client.post(
                f"/v1/hooks/sendgrid/{self._address.mail_source}", content=body, headers=self._headers(body)
            )
            self.refused += 0 if response.is_success else len(batch)

    def close(self) -> None:
        self._client.close()

    def _headers(self, body: bytes) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "user-agent": "SendGrid Event API",
            **signature(self._address.mail_key, body, at_s=int(time.time())),
        }


class Browser:
    """A visitor's browser that submits forms; `refused` counts those answered with an error."""

    def __init__(self, address: Address) -> None:
        self.refused = 0
        self._client = httpx.Client(
            base_url=address.ingest, timeout=_TIMEOUT_S, params={"writeKey": address.site_key}
        )

    def send(self, submits: Iterable[Submit]) -> None:
        """Post each form, as HTML forms are."""
        for submit in submits:
            headers = {
                "accept": "text/html,application/xhtml+xml",
                "origin": SHOP,
                "referer": f"{SHOP}/{submit.form}",
                "user-agent": submit.user_agent,
            }
            response = self._client.post(
                f"/v1/forms/{submit.form}", data=dict(submit.fields), headers=headers
            )
            self.refused += response.status_code >= 400

    def close(self) -> None:
        self._client.close()


def signature(key: EllipticCurvePrivateKey, body: bytes, *, at_s: int) -> dict[str, str]:
    """SendGrid's two signature headers for this body at this time (seconds since 1970)."""
    signed = key.sign(str(at_s).encode() + body, ECDSA(hashes.SHA256()))
    return {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signed).decode(),
        "x-twilio-email-event-webhook-timestamp": str(at_s),
    }
