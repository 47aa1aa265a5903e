"""routing.yaml → frozen routes and destinations.

In: the text of the file, the environment its `${NAME}` references point to. Out: `Routing`.
Refuses (`Misconfigured`, every mistake with its line): what has the wrong shape, unknown destinations, routes
and destinations that are forgotten, webhooks that cannot work, unset variables.

One unset variable is not a mistake: that of a webhook's `url`. The destination is then off: nothing is
planned for it, and the log says so at every start. That is how one routing.yaml serves the machine with a CRM
and the one without.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from services.router import decide
from services.router.destination import Kinds, Reading, Settings, kinds
from services.router.mistakes import Mistakes
from services.router.render import Language
from services.router.route_shape import RangeShape, RouteShape, WhenShape, entry_shape, routing_shape
from services.router.routing import Outline, Routing
from shared import config_file
from shared.config_file import Document
from shared.config_mistakes import listing
from shared.errors import Misconfigured

Shape = TypeVar("Shape")

_ROUTE: Final = TypeAdapter(RouteShape)
_LANGUAGE: Final[TypeAdapter[Language]] = TypeAdapter(Language)


def load(path: Path, environment: Mapping[str, str], known: Kinds | None = None) -> Routing:
    """Read the file. Raises Misconfigured with every mistake, also if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{path}: {error.__class__.__name__}. Set LEADSCORE_ROUTER_ROUTING_FILE to a YAML file"
        raise Misconfigured("The routing file cannot be read:", [problem]) from error
    return parse(text, environment, file=str(path), known=known)


def parse(
    text: str, environment: Mapping[str, str], *, file: str = "routing.yaml", known: Kinds | None = None
) -> Routing:
    """The routing in this text; without `known` with the destinations that come with Leadscore.

    Raises Misconfigured with every mistake.
    """
    known = kinds() if known is None else known
    document = config_file.parse(text, file=file)
    mistakes = Mistakes(document)
    try:
        config_file.validate(document, routing_shape(known))
    except Misconfigured as error:
        mistakes.take(error.problems)
    # Also when the shape is wrong somewhere: what has the right shape is read on, to tell everything at once.
    entries = list(_entries(document, known))
    destinations = _destinations(document, entries, environment, mistakes, known)
    routes = _routes(document, mistakes)
    _check_links(document, mistakes)
    mistakes.stop_if_any()
    of_each = {shape.name: known[shape.kind] for _, shape in entries}
    return Routing(routes=routes, destinations=destinations, kinds=of_each)


def outline(text: str, environment: Mapping[str, str], *, file: str = "routing.yaml") -> Outline:
    """Who gets what by this text; no secret has to be there. Raises Misconfigured with every mistake."""
    known = kinds()
    document = config_file.parse(text, file=file)
    mistakes = Mistakes(document)
    try:
        config_file.validate(document, routing_shape(known))
    except Misconfigured as error:
        mistakes.take(error.problems)
    routes = _routes(document, mistakes)
    _check_links(document, mistakes)
    mistakes.stop_if_any()
    shapes = [shape for _, shape in _entries(document, known)]
    return Outline(
        routes=routes,
        destinations=tuple(shape.name for shape in shapes),
        off=frozenset(shape.name for shape in shapes if known[shape.kind].is_off(shape, environment)),
    )


def _entries(document: Document, known: Kinds) -> Iterator[tuple[int, Any]]:
    """The destinations that have the shape of their kind."""
    return _fitting(document, "destinations", TypeAdapter(entry_shape(known)))


def _destinations(
    document: Document,
    entries: Sequence[tuple[int, Any]],
    environment: Mapping[str, str],
    mistakes: Mistakes,
    known: Kinds,
) -> dict[str, Settings]:
    language = _fits(_LANGUAGE, _entry(document, "language", "en")) or "en"
    destinations: dict[str, Settings] = {}
    for position, one in entries:
        where = ("destinations", position)
        if one.name in destinations:
            mistakes.add((*where, "name"), f'destination "{one.name}" is here twice. Rename one')
        reading = Reading(where=where, language=language, environment=environment, mistakes=mistakes)
        destinations[one.name] = known[one.kind].read(one, reading)
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
