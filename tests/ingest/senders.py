"""Sources that send, and what of theirs arrived: for the tests of ingest."""

import base64

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.testing import MemoryBroker
from shared.topics import Topics

WEBSITE_KEY = "website-key-0123456789"
PRODUCT_KEY = "product-key-0123456789"
LIMITED_KEY = "limited-key-0123456789"
SITE = "https://www.shop.example"

SENDGRID_PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
SENDGRID_PUBLIC_KEY = base64.b64encode(
    SENDGRID_PRIVATE_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()

ENVIRONMENT = {
    "KEY_WEBSITE": WEBSITE_KEY,
    "KEY_PRODUCT": PRODUCT_KEY,
    "KEY_LIMITED": LIMITED_KEY,
    "SENDGRID": SENDGRID_PUBLIC_KEY,
}
SOURCES = f"""
version: 1
sources:
  - id: website
    access: public
    kind: web
    keys:
      - ${{KEY_WEBSITE}}
    origins:
      - {SITE}
  - id: product
    access: secret
    kind: product
    keys:
      - ${{KEY_PRODUCT}}
  - id: limited
    access: secret
    kind: product
    keys:
      - ${{KEY_LIMITED}}
    limits:
      events_per_s: 0.2
  - id: forms
    access: public
    kind: form
    origins:
      - {SITE}
    forms:
      - id: demo-request
        thanks: {SITE}/thanks
        redirects:
          - {SITE}
          - https://other.example/only/here
      - id: contact
  - id: email
    access: secret
    kind: email
    hook:
      provider: sendgrid
      public_keys:
        - ${{SENDGRID}}
"""


def events(broker: MemoryBroker) -> list[dict[str, object]]:
    """What is on the events topic, as plain JSON."""
    return [msgspec.json.decode(record.value) for record in broker.on(Topics().events)]


def rejected(broker: MemoryBroker) -> list[dict[str, object]]:
    """What is on the rejected topic, as plain JSON."""
    return [msgspec.json.decode(record.value) for record in broker.on(Topics().rejected)]
