"""Where the demo goes: the installation that `leadscore up` noted down, or what the options say.

In: names and values (environment, files of the installation, `--keys`). Out: a `Target`.
Refuses to guess: what is missing is named, all at once, with the way to get it.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from services.cli.demo.send import Address
from shared.errors import Misconfigured

NOT_RUNNING: Final = "Nothing to send to: Leadscore does not run here. `make run` first, in another terminal."

_MAIL_SOURCE: Final = "email"
_NEEDED: Final = (
    "LEADSCORE_KEY_PRODUCT",
    "LEADSCORE_KEY_WEBSITE",
    "LEADSCORE_DEMO_MAIL_KEY",
    "LEADSCORE_INGEST_ADMIN_PORT",
    "DATABASE_URL",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running Leadscore: where to send, and where to look what became of it."""

    address: Address
    metrics_url: str
    database_url: str


def target(known: Mapping[str, str], *, host: str | None = None) -> Target:
    """The target that these values describe.

        known:  variables by name, as `leadscore up` keeps them
        host:   base URL of ingest, where it is not the noted one

    Raises Misconfigured if something is missing or is no key.
    """
    if not known.get("LEADSCORE_INGEST_PORT") and host is None:
        raise Misconfigured(NOT_RUNNING, [])
    missing = [name for name in _NEEDED if not known.get(name)]
    if missing:
        raise Misconfigured(
            "The demo needs to know more. Set, or write into a file and name it with --keys:", missing
        )
    address = Address(
        ingest=host or f"http://127.0.0.1:{known['LEADSCORE_INGEST_PORT']}",
        server_key=known["LEADSCORE_KEY_PRODUCT"],
        site_key=known["LEADSCORE_KEY_WEBSITE"],
        mail_source=_MAIL_SOURCE,
        mail_key=_private_key(known["LEADSCORE_DEMO_MAIL_KEY"]),
    )
    admin_host = known.get("LEADSCORE_INGEST_ADMIN_HOST") or "127.0.0.1"
    return Target(
        address=address,
        metrics_url=f"http://{admin_host}:{known['LEADSCORE_INGEST_ADMIN_PORT']}/metrics",
        database_url=known["DATABASE_URL"],
    )


def read_keys(text: str) -> dict[str, str]:
    """The NAME=value lines of a file; comments and empty lines are left out."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _private_key(text: str) -> EllipticCurvePrivateKey:
    """The signing key (base64 of PKCS #8 DER). Never shows what it was given."""
    try:
        key = load_der_private_key(base64.b64decode(text, validate=True), password=None)
    except (binascii.Error, ValueError, TypeError) as error:
        raise _no_key() from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise _no_key()
    return key


def _no_key() -> Misconfigured:
    return Misconfigured(
        "LEADSCORE_DEMO_MAIL_KEY is no P-256 private key in base64 (PKCS #8 DER); not shown, it is a secret. "
        "Without a value of your own, `leadscore up` makes one.",
        [],
    )
