"""routing.yaml → frozen routes and destinations.

In: the text of the file, the environment its `${NAME}` references point to. Out: `Routing`.
Refuses (`Misconfigured`, every mistake with its line): what has the wrong shape, unknown destinations, routes
and destinations that are forgotten, webhooks that cannot work, unset variables.

One unset variable is not a mistake: that of a webhook's `url`. The destination is then off: nothing is
planned for it, and the log says so at every start. That is how one routing.yaml serves the machine with a CRM
and the one without.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from services.router import decide
from services.router.mistakes import Mistakes
from services.router.render import Language
from services.router.route_shape import (
    DestinationShape,
    KafkaShape,
    RangeShape,
    RouteShape,
    RoutingShape,
    WebhookShape,
    WhenShape,
)
from services.router.route_webhook import Webhooks, is_off
from services.router.routing import Destination, KafkaDestination, Outline, Routing
from shared import config_file
from shared.config_file import Document
from shared.config_mistakes import listing
from shared.errors import Misconfigured

Shape = TypeVar("Shape")

_DESTINATION: Final[TypeAdapter[DestinationShape]] = TypeAdapter(DestinationShape)
_ROUTE: Final = TypeAdapter(RouteShape)
_LANGUAGE: Final[TypeAdapter[Language]] = TypeAdapter(Language)


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
    mistakes = Mistakes(document)
    try:
        config_file.validate(document, RoutingShape)
    except Misconfigured as error:
        mistakes.take(error.problems)
    # Also when the shape is wrong somewhere: what has the right shape is read on, to tell everything at once.
    destinations = _destinations(document, Webhooks(environment, mistakes), mistakes)
    routes = _routes(document, mistakes)
    _check_links(document, mistakes)
    mistakes.stop_if_any()
    return Routing(routes=routes, destinations=destinations)


def outline(text: str, environment: Mapping[str, str], *, file: str = "routing.yaml") -> Outline:
    """Who gets what by this text; no secret has to be there. Raises Misconfigured with every mistake."""
    document = config_file.parse(text, file=file)
    mistakes = Mistakes(document)
    try:
        config_file.validate(document, RoutingShape)
    except Misconfigured as error:
        mistakes.take(error.problems)
    routes = _routes(document, mistakes)
    _check_links(document, mistakes)
    mistakes.stop_if_any()
    shapes = [shape for _, shape in _fitting(document, "destinations", _DESTINATION)]
    return Outline(
        routes=routes,
        destinations=tuple(shape.name for shape in shapes),
        off=frozenset(
            shape.name for shape in shapes if isinstance(shape, WebhookShape) and is_off(shape, environment)
        ),
    )


def _destinations(document: Document, webhooks: Webhooks, mistakes: Mistakes) -> dict[str, Destination]:
    language = _fits(_LANGUAGE, _entry(document, "language", "en")) or "en"
    destinations: dict[str, Destination] = {}
    for position, one in _fitting(document, "destinations", _DESTINATION):
        where = ("destinations", position)
        if one.name in destinations:
            mistakes.add((*where, "name"), f'destination "{one.name}" is here twice. Rename one')
        destinations[one.name] = (
            webhooks.destination(where, one, language)
            if isinstance(one, WebhookShape)
            else _kafka(one, language)
        )
    return destinations


def _routes(document: Document, mistakes: Mistakes) -> tuple[decide.Route, ...]:
    routes: dict[str, decide.Route] = {}
    for position, one in _fitting(document, "routes", _ROUTE):
        if one.name in routes:
            mistakes.add(("routes", position, "name"), f'route "{one.name}" is here twice. Rename one')
        routes[one.name] = decide.Route(name=one.name, when=_when(one.when), to=tuple(one.to), stop=one.stop)
    return tuple(routes.values())


def _check_links(document: Document, mistakes: Mistakes) -> None:
    """Every name that a route uses exists, and every destination is used.

    By what the file says and not by what fits: a destination with a mistake elsewhere is not unknown.
    """
    names = {one["name"]: position for position, one in _named(document, "destinations")}
    used: set[str] = set()
    for position, route in _named(document, "routes"):
        targets = route.get("to")
        for number, name in enumerate(targets if isinstance(targets, list) else []):
            used.add(str(name))
            if name not in names:
                mistakes.add(
                    ("routes", position, "to", number),
                    f'route "{route["name"]}": unknown destination "{name}". '
                    f"Destinations: {listing(name, names)}",
                )
    for name, position in names.items():
        if name not in used:
            mistakes.add(
                ("destinations", position, "name"),
                f'no route leads to destination "{name}". Add it to a route, or remove it',
            )


def _fitting(document: Document, key: str, shape: "TypeAdapter[Shape]") -> Iterator[tuple[int, Shape]]:
    """The entries of a list that have this shape, with their positions."""
    entries = _entry(document, key, [])
    for position, entry in enumerate(entries if isinstance(entries, list) else []):
        if (one := _fits(shape, entry)) is not None:
            yield position, one


def _named(document: Document, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of a list that have a name, whatever else is wrong with them."""
    entries = _entry(document, key, [])
    for position, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield position, entry


def _entry(document: Document, key: str, default: Any) -> Any:
    return document.data.get(key, default) if isinstance(document.data, dict) else default


def _fits(shape: "TypeAdapter[Shape]", value: Any) -> Shape | None:
    try:
        return shape.validate_python(value)
    except ValidationError:
        return None


def _kafka(shape: KafkaShape, language: Language) -> KafkaDestination:
    return KafkaDestination(name=shape.name, language=shape.language or language, in_flight=shape.in_flight)


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
