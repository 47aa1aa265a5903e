"""SendGrid's event webhook → drafts of `email.*`.

In: a signed JSON list of events. Out: raw items, then a `Draft` of each.
Refuses bodies without a fresh signature of SendGrid's (ECDSA P-256 with SHA-256 over timestamp and body).

SendGrid resends for 24 hours whatever does not get a 2xx, so a body that is signed but not understood is
rejected item by item, never as a whole. `sg_event_id` stays the same over resends and names the event.
Opens by Apple's mail proxy carry `sg_machine_open`; nothing marks clicks of scanners.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import Field, SecretStr

from services.ingest import decode, machine
from services.ingest.draft import Draft
from services.ingest.sources.provider import Provider, ProviderSettings, Secrets
from shared.errors import Invalid
from shared.events import (
    EMAIL_BOUNCED,
    EMAIL_CLICKED,
    EMAIL_COMPLAINED,
    EMAIL_DELIVERED,
    EMAIL_OPENED,
    EMAIL_UNSUBSCRIBED,
)

SIGNATURE_HEADER: Final = b"x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER: Final = b"x-twilio-email-event-webhook-timestamp"

NAMES: Final[Mapping[str, str]] = {
    "delivered": EMAIL_DELIVERED,
    "open": EMAIL_OPENED,
    "click": EMAIL_CLICKED,
    "bounce": EMAIL_BOUNCED,
    "spamreport": EMAIL_COMPLAINED,
    "unsubscribe": EMAIL_UNSUBSCRIBED,
    "group_unsubscribe": EMAIL_UNSUBSCRIBED,
    "group_resubscribe": "email.resubscribed",
    "processed": "email.processed",
    "deferred": "email.deferred",
    "dropped": "email.dropped",
}
"""SendGrid's event → our name."""

_MAX_AHEAD_S: Final = 300
# They have places of their own in the event; all other fields describe the act and keep their names.
_MOVED: Final = frozenset(
    {
        "event",
        "email",
        "timestamp",
        "sg_event_id",
        "sg_machine_open",
        "useragent",
        "ip",
        "user_id",
        "anonymous_id",
    }
)

_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])


class SendGridSettings(ProviderSettings):
    """SendGrid's event webhook: POST /v1/hooks/sendgrid/<source id>."""

    provider: Literal["sendgrid"] = Field(description="Whose events these are.")
    public_keys: list[SecretStr] = Field(
        min_length=1,
        description="Verification keys as the provider shows them (base64); two while you change them.",
    )
    max_age_h: float = Field(
        default=25, gt=0, le=24 * 30, description="The oldest signature taken; SendGrid retries for 24 hours."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which signatures count.

    public_keys:  any of these may have signed (two while a key is being changed)
    max_age_s:    the oldest signature that counts
    """

    public_keys: tuple[EllipticCurvePublicKey, ...]
    max_age_s: float


def prepare(settings: SendGridSettings, secrets: Secrets) -> Trust:
    """The settings with their keys read; what is no key is noted."""
    keys = []
    for at, written in enumerate(settings.public_keys):
        text = secrets.resolve(written)
        if text is None:
            continue
        try:
            keys.append(_public_key(text))
        except ValueError:
            secrets.note(
                ("public_keys", at), "not a P-256 public key in base64. Copy the provider's Verification Key"
            )
    return Trust(public_keys=tuple(keys), max_age_s=settings.max_age_h * 3600)


def verify(body: bytes, headers: Mapping[bytes, bytes], trust: "Trust", now: datetime) -> None:
    """Return if SendGrid signed this body, and not too long ago.

        body: as it came over the wire
        now:  when it came

    Raises Invalid `invalid_signature`, `stale_signature`.
    """
    timestamp = headers.get(TIMESTAMP_HEADER, b"")
    signature = _decoded(headers.get(SIGNATURE_HEADER, b""))
    if not any(_signed(key, signature, timestamp + body) for key in trust.public_keys):
        raise Invalid(
            "invalid_signature",
            "the body has no valid signature. Sign it, and put the Verification Key into sources.yaml",
        )
    age_s = now.timestamp() - _seconds(timestamp)
    if not -_MAX_AHEAD_S <= age_s <= trust.max_age_s:
        raise Invalid(
            "stale_signature",
            f"the signature is {age_s:.0f} s old. At most {trust.max_age_s:.0f} s are taken",
        )


def items(body: bytes) -> list[bytes]:
    """The events of a body, raw. Raises Invalid `invalid_json`."""
    return [bytes(raw) for raw in decode.shaped(body, _list_decoder)]


def draft(item: Mapping[str, Any], raw: bytes) -> Draft:
    """One event, its parts found.

        raw: the item's bytes, which name the event where SendGrid did not

    Raises Invalid `unknown_event`.
    """
    url = item.get("url")
    return Draft(
        name=_name(item.get("event")),
        kind="email",
        message_id=item.get("sg_event_id"),
        fingerprint="sendgrid:" + hashlib.sha256(raw).hexdigest(),
        occurred=item.get("timestamp"),
        user_id=item.get("user_id"),
        anonymous_id=item.get("anonymous_id"),
        emails=(item.get("email"),),
        properties={"provider": "sendgrid", **{k: v for k, v in item.items() if k not in _MOVED}},
        context={
            "userAgent": item.get("useragent"),
            "ip": item.get("ip"),
            **({"page": {"url": url}} if isinstance(url, str) else {}),
        },
        machine=machine.APPLE_PRIVACY if item.get("sg_machine_open") is True else "",
    )


def _name(event: Any) -> str:
    name = NAMES.get(event) if isinstance(event, str) else None
    if name is None:
        raise Invalid(
            "unknown_event", f"none of SendGrid's events. Events: {', '.join(NAMES)}", field="event"
        )
    return name


def _decoded(signature: bytes) -> bytes:
    """The signature's bytes; nothing for what is not base64, and nothing verifies nothing."""
    try:
        return base64.b64decode(signature, validate=True)
    except binascii.Error:
        return b""


def _signed(key: EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _seconds(timestamp: bytes) -> float:
    """The signed time in seconds since 1970; what nobody can read is of the year 1970."""
    try:
        return float(int(timestamp))
    except ValueError:
        return 0.0


def _public_key(text: str) -> EllipticCurvePublicKey:
    """The key in the base64 that providers show. Raises ValueError for anything else."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValueError("not a public key") from error
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("not a P-256 key")
    return key


PROVIDER: Final = Provider(
    name="sendgrid",
    settings=SendGridSettings,
    prepare=prepare,
    verify=verify,
    split=items,
    draft=draft,
    headers=(SIGNATURE_HEADER.decode(), TIMESTAMP_HEADER.decode()),
    example=(
        {
            "event": "click",
            "email": "ada@engines.example",
            "timestamp": 1767225600,
            "sg_event_id": "c2VuZGdyaWQtZXZlbnQ",
            "sg_message_id": "m-1.filter-1",
            "url": "https://www.example.com/pricing",
            "useragent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        },
    ),
)
