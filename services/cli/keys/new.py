"""`leadscore keys new`: a new write key, webhook secret or identity key, and what to do with it.

In: what it is for. Out: the secret on stdout, once, with the steps. Refuses to keep it anywhere.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Final

import typer

from services.cli.keys import make
from services.ingest.registry import digest


class For(StrEnum):
    """What a secret is for."""

    WRITE = "write"
    WEBHOOK = "webhook"
    IDENTITY = "identity"


def new(
    what: Annotated[For, typer.Argument(help="write: of a sender; webhook: signs; identity: hashes people.")],
    *,
    public: Annotated[bool, typer.Option("--public", help="A write key for web pages.")] = False,
) -> None:
    """Make a new secret, and say how it takes the place of the old one."""
    for line in _MAKERS[what](public=public):
        typer.echo(line)


def _write(*, public: bool) -> list[str]:
    key = make.write_key(public=public)
    return [
        f"key:   {key}",
        f"entry: sha256:{digest(key).hex()}",
        "1. Add the entry under `keys` of the source in sources.yaml, beside the old one; start ingest anew.",
        "2. Give the key to the sender.",
        "3. When nothing comes with the old one any more, take it out; start ingest anew.",
    ]


def _webhook(*, public: bool) -> list[str]:  # noqa: ARG001 - as the others
    return [
        f"secret: {make.webhook_secret()}",
        "1. Put it first under `secrets` of the destination in routing.yaml, the old one second; start",
        "   routers anew. Each request is signed with both.",
        "2. Give it to the receiver, who accepts the old one until then.",
        "3. Take the old one out; start routers anew.",
    ]


def _identity(*, public: bool) -> list[str]:  # noqa: ARG001 - as the others
    return [
        f"key: {make.identity_key()}",
        "1. Keep it in your password safe, beside the ones before: all of them are needed from now on.",
        "2. In the settings, without starting anything anew: LEADSCORE_IDENTITY_KEYS_BEFORE begins with what",
        "   LEADSCORE_IDENTITY_KEY is now, and LEADSCORE_IDENTITY_KEY is the new one.",
        "3. With these settings: leadscore keys rotate-identity",
        "4. Start scorers anew: those with the old key have ended by themselves.",
    ]


_MAKERS: Final[Mapping[For, Callable[..., list[str]]]] = {
    For.WRITE: _write,
    For.WEBHOOK: _webhook,
    For.IDENTITY: _identity,
}
