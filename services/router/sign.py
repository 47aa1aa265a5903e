"""Standard Webhooks headers (pure): who sent this body, and that nobody changed it.

In: a delivery's id, the body, the secrets in use, the time of this attempt. Out: three headers.
Refuses (`Invalid`) a secret that is not `whsec_` and 24 to 64 bytes of base64.

The id is the same for every attempt, so that a receiver can drop what it has already seen; the timestamp is
fresh, so that an old request cannot be replayed. While a secret is being changed, the body is signed with
all of them: a receiver accepts it under the old one or the new one.
Source: Standard Webhooks 1.0.0.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.errors import Invalid
from shared.ids import DeliveryId

_PREFIX: Final = "whsec_"
_REMEDY: Final = 'Make one: echo "whsec_$(openssl rand -base64 32)"'


def read_secret(text: str) -> bytes:
    """The key in a `whsec_…` secret. Raises Invalid (`bad_secret`), never repeating what it saw."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("bad_secret", f"a secret is whsec_ followed by base64. {_REMEDY}") from error
    if not text.startswith(_PREFIX):
        raise Invalid("bad_secret", f"a secret begins with whsec_. {_REMEDY}")
    if not 24 <= len(key) <= 64:
        raise Invalid("bad_secret", f"a secret has 24 to 64 bytes; this one has {len(key)}. {_REMEDY}")
    return key


def headers(delivery: DeliveryId, body: bytes, keys: Sequence[bytes], at: datetime) -> dict[str, str]:
    """The headers that let a receiver verify this body.

    keys:  newest first; one signature each
    at:    when this attempt is made
    """
    timestamp = str(int(at.timestamp()))
    content = b".".join((str(delivery).encode(), timestamp.encode(), body))
    return {
        "webhook-id": str(delivery),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key, content) for key in keys),
    }


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
