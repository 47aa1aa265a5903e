"""New secrets, in the shapes that the services take: write keys, webhook secrets, identity keys.

In: nothing. Out: text from the system's source of randomness. Refuses to keep it anywhere.
"""

import base64
import secrets


def write_key(*, public: bool) -> str:
    """A key with which a sender proves who it is; a public one stands in web pages, where all can read it."""
    return "pub_" + secrets.token_urlsafe(18) if public else "sec_" + secrets.token_urlsafe(24)


def webhook_secret() -> str:
    """What webhooks are signed with, as Standard Webhooks spells it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def identity_key() -> str:
    """What identifiers of people are hashed with."""
    return secrets.token_urlsafe(32)
