"""Field names in a model → functions that fetch the value.

In: a dotted path such as `properties.form`, `traits.company.name`, `page.path` (of an event) or
`company.industry` (of a profile). Out: a getter that returns the value, or None where there is none.
Refuses to guess: a path of an event must start with a part that events have.

An empty text counts as no value: that is what HTML forms send for a field left blank.
"""

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, Final
from urllib.parse import urlsplit

from shared.events import Event

EventGetter = Callable[[Event], Any]
ProfileGetter = Callable[[Mapping[str, Any]], Any]

_TREES: Final = ("properties", "context", "traits")
_PLAIN: Final[Mapping[str, EventGetter]] = {
    "name": attrgetter("name"),
    "kind": attrgetter("kind"),
    "source": attrgetter("source"),
}

EVENT_FIELDS: Final = (
    "name",
    "kind",
    "source",
    "page.path",
    "page.url",
    "page.title",
    *(f"{t}.…" for t in _TREES),
)


def event_getter(path: str) -> EventGetter | None:
    """What fetches this field of an event; None if events have no such field."""
    if path in _PLAIN:
        return _PLAIN[path]
    if path in _PAGE:
        return _PAGE[path]
    tree, _, rest = path.partition(".")
    if tree not in _TREES or not all(rest.split(".")):
        return None
    data_of, inner = attrgetter(tree), profile_getter(rest)
    return lambda event: inner(data_of(event))


def profile_getter(path: str) -> ProfileGetter:
    """What fetches this dotted path from nested mappings. A key that contains the dots wins over nesting."""
    head, _, rest = path.partition(".")
    if not rest:
        return lambda data: data.get(path)
    inner = profile_getter(rest)

    def nested(data: Mapping[str, Any]) -> Any:
        if path in data:
            return data[path]
        value = data.get(head)
        return inner(value) if isinstance(value, dict) else None

    return nested


def _of_page(key: str, event: Event) -> Any:
    """A fact about the page: browsers' libraries put it in the context, servers' in the properties."""
    page = event.context.get("page")
    return (page.get(key) if isinstance(page, dict) else None) or event.properties.get(key)


def _page_path(event: Event) -> Any:
    """The path of the page, taken from its address where nobody sent it apart."""
    page = event.context.get("page")
    if type(page) is dict and (path := page.get("path")):
        return path
    if path := event.properties.get("path"):
        return path
    url = _of_page("url", event)
    try:
        return urlsplit(url).path if isinstance(url, str) else None
    except ValueError:
        return None


_PAGE: Final[Mapping[str, EventGetter]] = {
    "page.path": _page_path,
    "page.url": partial(_of_page, "url"),
    "page.title": partial(_of_page, "title"),
}
