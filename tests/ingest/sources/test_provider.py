"""To add a webhook provider is to add one file."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.ingest import app as http
from services.ingest import source_file
from services.ingest.limits import Limits
from services.ingest.middleware import Admission
from services.ingest.publish import ParcelPublisher
from services.ingest.receive import Receiver
from services.ingest.sources.provider import providers
from shared.codec import decode
from shared.errors import Misconfigured
from shared.testing import FrozenClock, MemoryBroker, SequentialIds
from shared.topics import Topics

POSTBOX = '''
"""Postbox, an e-mail provider that does not exist."""

import hmac
from typing import Literal

import msgspec
from pydantic import SecretStr

from services.ingest import decode
from services.ingest.draft import Draft
from services.ingest.sources.provider import Provider, ProviderSettings
from shared.errors import Invalid


class Settings(ProviderSettings):
    provider: Literal["postbox"]
    token: SecretStr


def verify(body, headers, token, now):
    if not hmac.compare_digest(headers.get(b"x-postbox-token", b""), token.encode()):
        raise Invalid("invalid_signature", "the token is wrong. Send X-Postbox-Token")


def draft(item, raw):
    return Draft(name="email.clicked", kind="email", message_id=item["id"], emails=(item["to"],))


PROVIDER = Provider(
    name="postbox",
    settings=Settings,
    prepare=lambda settings, secrets: secrets.resolve(settings.token),
    verify=verify,
    split=lambda body: [bytes(raw) for raw in decode.shaped(body, msgspec.json.Decoder(list[msgspec.Raw]))],
    draft=draft,
    probe={"postbox": "here"},
)
'''
SOURCES = """
version: 1
sources:
  - {id: mail, access: secret, kind: email, hook: {provider: postbox, token: "${POSTBOX_TOKEN}"}}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of somebody else's with one module."""
    folder = tmp_path / "our_providers"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "postbox.py").write_text(POSTBOX)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "our_providers"
    for name in [name for name in sys.modules if name.startswith("our_providers")]:
        del sys.modules[name]


async def ask(package: str, broker: MemoryBroker, method: str, **request: object) -> httpx.Response:
    known = providers([package])
    registry = source_file.read(
        SOURCES, file="sources.yaml", environment={"POSTBOX_TOKEN": "t-1"}, known=known
    )
    receiver = Receiver(
        registry=registry,
        parcels=ParcelPublisher(broker, Topics()),
        clock=FrozenClock(),
        ids=SequentialIds(),
        limits=Limits(),
    )
    app = http.create(receiver, registry, Admission(max_in_flight=8, trouble=broker.trouble), known)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest.test") as sender:
        return await sender.request(method, "/v1/hooks/postbox/mail", **request)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_an_event_comes_in_by_a_provider_that_is_one_file(package: str, broker: MemoryBroker) -> None:
    """Settings, secret, signature, mapping: all of it is in the module."""
    body = b'[{"id": "m-1", "to": "ada@engines.example"}]'
    answer = await ask(package, broker, "POST", content=body, headers={"X-Postbox-Token": "t-1"})
    assert answer.json() == {"success": True, "accepted": 1, "rejected": 0}
    [event] = [decode(record.value) for record in broker.on(Topics().events)]
    assert (event.source, event.name, event.email) == ("mail", "email.clicked", "ada@engines.example")


@pytest.mark.asyncio
async def test_its_own_proof_and_probe_are_asked(package: str, broker: MemoryBroker) -> None:
    """A wrong token is refused, and a GET is answered as the module says."""
    answer = await ask(package, broker, "POST", content=b"[]", headers={"X-Postbox-Token": "wrong"})
    assert answer.json()["code"] == "invalid_signature"
    assert (await ask(package, broker, "GET")).json() == {"postbox": "here"}


def test_a_provider_nobody_knows_is_named_with_those_there_are() -> None:
    """Without the package the file is wrong, and says where."""
    with pytest.raises(Misconfigured) as refused:
        source_file.read(SOURCES, file="sources.yaml", environment={"POSTBOX_TOKEN": "t-1"})
    assert "sendgrid" in str(refused.value)


def test_a_package_that_is_not_there_is_told() -> None:
    """A start says which name is wrong and where it comes from."""
    with pytest.raises(Misconfigured, match="LEADSCORE_INGEST_PROVIDERS"):
        providers(["nobodys_providers"])
