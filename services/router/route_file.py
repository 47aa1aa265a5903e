"""routing.yaml → frozen routes and destinations.

In: the text of the file, the environment its `${NAME}` references point to. Out: `Routing`.
Refuses (`Misconfigured`, every mistake with its line): unknown keys and destinations, conditions that can
never hold, addresses that are not URLs, http without TLS to the public, secrets that are too weak, unset
variables. A secret is never repeated.

One unset variable is not a mistake: that of a webhook's `url`. The destination is then off: nothing is
planned for it, and the log says so at every start. That is how one routing.yaml serves the machine with a CRM
and the one without.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import httpx

from services.router import decide
from services.router.addresses import Network
from services.router.render import Language
from services.router.route_shape import (
    KafkaShape,
    RangeShape,
    RouteShape,
    RoutingShape,
    WebhookShape,
    WhenShape,
)
from services.router.sign import read_secret
from shared import config_file
from shared.config_file import Document
from shared.config_mistakes import Path as Where
from shared.config_mistakes import listing
from shared.errors import Invalid, Misconfigured

_REFERENCE: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDestination:
    """A receiver of signed HTTP posts. Secrets stay out of the printed form.

    url:        empty if the destination is off
    keys:       signing keys, newest first
    allowed:    networks reachable beside the public internet
    in_flight:  requests at the same time at most
    """

    name: str
    language: Language
    in_flight: int
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


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaDestination:
    """The sales queue, `leads.sales.v1`."""

    name: str
    language: Language
    in_flight: int

    @property
    def on(self) -> bool:
        return True


Destination = WebhookDestination | KafkaDestination


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What routing.yaml says.

    active: names of the destinations that are not off
    """

    routes: tuple[decide.Route, ...]
    destinations: Mapping[str, Destination]

    @property
    def active(self) -> frozenset[str]:
        return frozenset(name for name, one in self.destinations.items() if one.on)


def load(path: Path, environment: Mapping[str, str]) -> Routing:
    """Read the file. Raises Misconfigured with every mistake, also if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{path}: {error.__class__.__name__}. Set LEADSCORE_ROUTER_ROUTING_FILE to a YAML file"
        raise Misconfigured("The routing file cannot be read:", [problem]) from error
    return parse(text, environment, file=str(path))


def parse(text: str, environment: Mapping[str, str], *, file: str = "routing.yaml") -> Routing:
    """The routing in this text. Raises Misconfigured with every mistake."""
    document = config_file.parse(text, file=file)
    return _Compiler(document, environment).compile(config_file.validate(document, RoutingShape))


class _Compiler:
    """A file that has the right shape → what it means, or all that is wrong with its meaning."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment
        self._problems: list[tuple[int, str]] = []

    def compile(self, shape: RoutingShape) -> Routing:
        destinations = self._destinations(shape)
        routes = self._routes(shape, destinations)
        if self._problems:
            count = "a mistake" if len(self._problems) == 1 else f"{len(self._problems)} mistakes"
            in_order = [message for _, message in sorted(self._problems)]
            raise Misconfigured(f"{self._document.file} has {count}:", in_order)
        return Routing(routes=routes, destinations=destinations)

    def _destinations(self, shape: RoutingShape) -> dict[str, Destination]:
        destinations: dict[str, Destination] = {}
        for position, one in enumerate(shape.destinations):
            where: Where = ("destinations", position)
            if one.name in destinations:
                self._wrong((*where, "name"), f'destination "{one.name}" is here twice. Rename one')
            destinations[one.name] = (
                self._webhook(where, one, shape.language)
                if isinstance(one, WebhookShape)
                else _kafka(one, shape.language)
            )
        return destinations

    def _webhook(self, where: Where, shape: WebhookShape, language: Language) -> WebhookDestination:
        url = self._filled((*where, "url"), shape.url.get_secret_value(), optional=True)
        if url:
            self._check_url((*where, "url"), url, shape)
        if shape.allow_http and not shape.allow_networks:
            self._wrong(
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
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            parts = httpx.URL()
        if parts.scheme not in {"https", "http"} or not parts.host or not _is_port(parts.port):
            self._wrong(where, "the url is not one. It looks like https://crm.example.com/leadscore")
        elif parts.scheme == "http" and not shape.allow_http:
            self._wrong(where, "the url is http without TLS. Use https, or set allow_http and allow_networks")
        if parts.userinfo:
            self._wrong(where, "the url holds a user or a password. The signature says who we are; remove it")
        if parts.fragment:
            self._wrong(where, "the url has a part after #, which is never sent. Remove it")

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
                    self._wrong(at, f"{error.message}; seen: a secret, not shown")
        return tuple(keys)

    def _networks(self, where: Where, shape: WebhookShape) -> tuple[Network, ...]:
        networks: list[Network] = []
        for position, text in enumerate(shape.allow_networks):
            try:
                networks.append(ip_network(text))
            except ValueError:
                self._wrong(
                    (*where, "allow_networks", position),
                    f'"{text}" is not a network. It looks like 10.20.0.0/16 or fd00::/8, host bits zero',
                )
        return tuple(networks)

    def _ca_file(self, where: Where, shape: WebhookShape) -> Path | None:
        if shape.ca_file is not None and not shape.ca_file.is_file():
            self._wrong((*where, "ca_file"), f'there is no file "{shape.ca_file}". Give a PEM file')
        return shape.ca_file

    def _filled(self, where: Where, text: str, *, optional: bool) -> str:
        """The text with `${NAME}` replaced from the environment; empty if a name is unset and may be."""
        unset = [name for name in _REFERENCE.findall(text) if not self._environment.get(name)]
        if unset and not optional:
            self._wrong(where, f"{', '.join(unset)} is not set in the environment. Set it")
        if unset:
            return ""
        return _REFERENCE.sub(lambda found: self._environment[found[1]], text)

    def _routes(
        self, shape: RoutingShape, destinations: Mapping[str, Destination]
    ) -> tuple[decide.Route, ...]:
        seen: set[str] = set()
        for position, route in enumerate(shape.routes):
            if route.name in seen:
                self._wrong(("routes", position, "name"), f'route "{route.name}" is here twice. Rename one')
            seen.add(route.name)
            self._check_targets(("routes", position, "to"), route, destinations)
        self._check_use(shape, destinations)
        return tuple(_route(route) for route in shape.routes)

    def _check_targets(
        self, where: Where, route: RouteShape, destinations: Mapping[str, Destination]
    ) -> None:
        for position, name in enumerate(route.to):
            if name not in destinations:
                self._wrong(
                    (*where, position),
                    f'route "{route.name}": unknown destination "{name}". '
                    f"Destinations: {listing(name, destinations)}",
                )

    def _check_use(self, shape: RoutingShape, destinations: Mapping[str, Destination]) -> None:
        """A destination that no route names is a route forgotten, or a typing mistake elsewhere."""
        named = {name for route in shape.routes for name in route.to}
        for position, one in enumerate(shape.destinations):
            if one.name in destinations and one.name not in named:
                self._wrong(
                    ("destinations", position, "name"),
                    f'no route leads to destination "{one.name}". Add it to a route, or remove it',
                )

    def _wrong(self, where: Where, message: str) -> None:
        self._problems.append((self._document.line(where), self._document.problem(where, message)))


def _is_port(port: int | None) -> bool:
    return port is None or 0 < port <= 65_535


def _kafka(shape: KafkaShape, language: Language) -> KafkaDestination:
    return KafkaDestination(name=shape.name, language=shape.language or language, in_flight=shape.in_flight)


def _route(shape: RouteShape) -> decide.Route:
    return decide.Route(name=shape.name, when=_when(shape.when), to=tuple(shape.to), stop=shape.stop)


def _when(shape: WhenShape) -> decide.When:
    return decide.When(
        stage=frozenset(shape.stage),
        previous_stage=frozenset(shape.previous_stage),
        grade=frozenset(shape.grade),
        score=_range(shape.score) if shape.score else decide.Range(),
        dimensions={name: _range(span) for name, span in shape.dimensions.items()},
        traits={
            name: _range(wanted) if isinstance(wanted, RangeShape) else tuple(wanted)
            for name, wanted in shape.traits.items()
        },
    )


def _range(shape: RangeShape) -> decide.Range:
    return decide.Range(at_least=shape.min, at_most=shape.max)
