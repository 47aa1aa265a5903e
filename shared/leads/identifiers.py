"""Identifiers of people → the keyed hashes that are stored instead of them.

In: the kind, the text as it was sent, the installation's key. Out: 16 bytes.
"""

import hashlib
from typing import Literal

IdentifierKind = Literal["user_id", "email", "anonymous_id"]


def hash_identifier(kind: IdentifierKind, value: str, key: bytes) -> bytes:
    """16 bytes that stand for this identifier, the same for ever under the same key."""
    return hashlib.blake2b(
        value.strip().encode("utf-8", "surrogatepass"), digest_size=16, key=key[:64], person=kind.encode()
    ).digest()
