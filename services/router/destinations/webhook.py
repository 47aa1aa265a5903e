"""A webhook as a destination: signed HTTP posts (Standard Webhooks) of every transition, in order per lead.

In: its entry in routing.yaml, the environment its `${NAME}` references point to. Out: `KIND`.
services/router/send_webhook.py sends, imported only by who sends: httpx costs a start a tenth of a second.
Refuses addresses that are not URLs, http without TLS to the public, weak secrets, unset variables; each is a
mistake with its line, and a secret is never repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr

from services.router.addresses import Network
from services.router.destination import DestinationShape, InFlight, Kind, Reading, Sender, Services, Settings
from services.router.mistakes import Mistakes, Where
from services.router.render import Language
from services.router.sign import read_secret
from shared.config_references import filled, unset
from shared.errors import Invalid


class WebhookShape(DestinationShape):
    """A receiver of signed HTTP posts (Standard Webhooks)."""

    kind: Literal["webhook"]
    url: SecretStr = Field(
        min_length=1,
        description="https://…, or ${NAME} from the environment; while it is unset, the destination is off.",
    )
    secrets: list[SecretStr] = Field(
        min_length=1,
        max_length=5,
        description="Signing secrets (whsec_…), best as ${NAME}, newest first. Bodies are signed with all of "
        "them; later ones may be unset.",
    )
    language: Language | None = Field(default=None, description="Of the reasons' sentences.")
    in_flight: InFlight = Field(default=8, description="Requests at the same time at most.")
    allow_networks: list[str] = Field(
        default_factory=list,
        description="Networks (CIDR) that may be reached although they are not public, such as 10.20.0.0/16.",
    )
    allow_http: bool = Field(default=False, description="http without TLS, to allow_networks only.")
    ca_file: Path | None = Field(
        default=None, strict=False, description="Certificates (PEM) to trust beside the public ones."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDestination(Settings):
    """A receiver of signed HTTP posts. Secrets stay out of the printed form.

    url:        empty if the destination is off
    keys:       signing keys, newest first
    allowed:    networks reachable beside the public internet
    """

    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    allowed: tuple[Network, ...]
    ca_file: Path | None

    @property
    def on(self) -> bool:
        return bool(self.url)

    @property
    def plain(self) -> bool:
        """Whether it is http without TLS."""
        return self.url.startswith("http:")


class Webhooks:
    """Reads webhooks and notes what is wrong with them."""

    def __init__(self, environment: Mapping[str, str], mistakes: Mistakes) -> None:
        self._environment = environment
        self._mistakes = mistakes

    def destination(self, where: Where, shape: WebhookShape, language: Language) -> WebhookDestination:
        """The webhook as it will be used; off if its address is not set."""
        url = self._filled((*where, "url"), shape.url.get_secret_value(), optional=True)
        if url:
            self._check_url((*where, "url"), url, shape)
        if shape.allow_http and not shape.allow_networks:
            self._mistakes.add(
                (*where, "allow_http"),
                "allow_http without allow_networks: http goes to allowed networks only. Name one",
            )
        return WebhookDestination(
            name=shape.name,
            language=shape.language or language,
            in_flight=shape.in_flight,
            url=url,
            keys=self._keys(where, shape) if url else (),
            allowed=self._networks(where, shape),
            ca_file=self._ca_file(where, shape),
        )

    def _check_url(self, where: Where, url: str, shape: WebhookShape) -> None:
        """Its parts, read by the parser that will send to it; where it leads is judged when we connect."""
        import httpx  # a seventh of the start-up time of whoever reads routes without addresses (`plan`)

        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            parts = httpx.URL()
        if parts.scheme not in {"https", "http"} or not parts.host or not _is_port(parts.port):
            self._mistakes.add(where, "the url is not one. It looks like https://crm.example.com/leadscore")
        elif parts.scheme == "http" and not shape.allow_http:
            self._mistakes.add(
                where, "the url is http without TLS. Use https, or set allow_http and allow_networks"
            )
        if parts.userinfo:
            self._mistakes.add(
                where, "the url holds a user or a password. The signature says who we are; remove it"
            )
        if parts.fragment:
            self._mistakes.add(where, "the url has a part after #, which is never sent. Remove it")

    def _keys(self, where: Where, shape: WebhookShape) -> tuple[bytes, ...]:
        """The first secret has to be there; a later one that is unset is a rotation that is over."""
        keys: list[bytes] = []
        for position, secret in enumerate(shape.secrets):
            at: Where = (*where, "secrets", position)
            text = self._filled(at, secret.get_secret_value(), optional=position > 0)
            if text:
                try:
                    keys.append(read_secret(text))
                except Invalid as error:
                    self._mistakes.add(at, f"{error.message}; seen: a secret, not shown")
        return tuple(keys)

    def _networks(self, where: Where, shape: WebhookShape) -> tuple[Network, ...]:
        networks: list[Network] = []
        for position, text in enumerate(shape.allow_networks):
            try:
                networks.append(ip_network(text))
            except ValueError:
                self._mistakes.add(
                    (*where, "allow_networks", position),
                    f'"{text}" is not a network. It looks like 10.20.0.0/16 or fd00::/8, host bits zero',
                )
        return tuple(networks)

    def _ca_file(self, where: Where, shape: WebhookShape) -> Path | None:
        if shape.ca_file is not None and not shape.ca_file.is_file():
            self._mistakes.add((*where, "ca_file"), f'there is no file "{shape.ca_file}". Give a PEM file')
        return shape.ca_file

    def _filled(self, where: Where, text: str, *, optional: bool) -> str:
        """The text with `${NAME}` replaced from the environment; empty if a name is unset and may be."""
        missing = unset(text, self._environment)
        if missing and not optional:
            self._mistakes.add(where, f"{', '.join(missing)} is not set in the environment. Set it")
        return filled(text, self._environment) or ""


def is_off(shape: WebhookShape, environment: Mapping[str, str]) -> bool:
    """Whether its address depends on a variable that is not set."""
    return bool(unset(shape.url.get_secret_value(), environment))


def _is_port(port: int | None) -> bool:
    return port is None or 0 < port <= 65_535


def read(shape: WebhookShape, reading: Reading) -> WebhookDestination:
    """The entry as it will be used."""
    return Webhooks(reading.environment, reading.mistakes).destination(reading.where, shape, reading.language)


def sender(settings: WebhookDestination, services: Services) -> Sender:
    """What posts to the address."""
    from services.router.outbound import Limits, SystemResolver, client
    from services.router.send_webhook import Webhook

    configured = services.configured
    limits = Limits(
        connect_s=configured.connect_timeout_s,
        allowed=settings.allowed,
        plain=settings.plain,
        ca_file=settings.ca_file,
        in_flight=settings.in_flight,
    )
    return Webhook(
        client=client(limits, SystemResolver()),
        url=settings.url,
        keys=settings.keys,
        request_s=configured.request_timeout_s,
        clock=services.clock,
    )


KIND: Final = Kind(name="webhook", shape=WebhookShape, wants="every", read=read, sender=sender, is_off=is_off)
