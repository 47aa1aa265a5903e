"""What pydantic found wrong in a document, in the words of the person who wrote it.

In: the data, the model, one of pydantic's error details. Out: the path of the mistake and a sentence:
what is wrong, the value seen, the keys that would work.
Refuses to repeat secrets.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
"""Where in a document: keys and list positions from the root."""

Nouns = Mapping[str, str]
"""Section → what one entry of it is called: `{"destinations": "destination"}`."""

NO_NOUNS: Final[Nouns] = {}
MOST_SHOWN_CHARS: Final = 80


def explain(
    data: Any, model: type[BaseModel], detail: ErrorDetails, nouns: Nouns = NO_NOUNS
) -> tuple[Path, str]:
    """One of pydantic's findings as where it is and a sentence for a person.

    data:   the whole document that was checked against `model`
    nouns:  what one entry of a section is called
    """
    unknown = detail["type"] == "extra_forbidden"
    path = within(data, detail["loc"])
    home = path[:-1] if unknown else path
    schemas = _schemas(model, data, home)
    if unknown:
        message = f'unknown key "{short(str(path[-1]))}". Keys: {listing(path[-1], _keys(schemas))}'
    elif detail["type"] == "missing":
        message = f'"{detail["loc"][-1]}" is missing'
    else:
        message = f"{_wording(detail)}; seen: {_seen(detail['input'], schemas)}"
    return path, at(data, home, message, nouns)


def listing(seen: object, known: Iterable[str]) -> str:
    """The names that would work, and the one that was probably meant: `a, b. Did you mean "a"?`."""
    names = sorted(known)
    shown = ", ".join(names) if names else "none"
    close = difflib.get_close_matches(str(seen), names, n=1, cutoff=0.6)
    return f'{shown}. Did you mean "{close[0]}"?' if close else shown


def short(text: str) -> str:
    """What a message repeats of a text from the file: its beginning."""
    return text if len(text) <= MOST_SHOWN_CHARS else text[: MOST_SHOWN_CHARS - 1] + "…"


def within(data: Any, loc: tuple[int | str, ...]) -> Path:
    """The location without what is not in the file (names of union members, absent keys)."""
    path: list[str | int] = []
    for step in loc:
        if isinstance(data, dict) and step in data:
            data = data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            continue
        path.append(step)
    return tuple(path)


def at(data: Any, path: Path, message: str, nouns: Nouns = NO_NOUNS) -> str:
    """The message, with its place in front as a person would say it: `source "shop", limit: …`."""
    words = _words(data, path, nouns)
    return f"{', '.join(words)}: {message}" if words else message


def _words(data: Any, path: Path, nouns: Nouns) -> list[str]:
    words: list[str] = []
    if len(path) > 1 and isinstance(path[1], str) and path[0] in nouns:
        words.append(f'{nouns[str(path[0])]} "{short(path[1])}"')
        data, path = data[path[0]][path[1]], path[2:]
    for step in path:
        data = data[step]
        if isinstance(step, int):
            section = words.pop() if words else "item"
            words.append(f"{nouns.get(section, section)} {_own_name(data) or f'number {step + 1}'}")
        else:
            words.append(short(step))
    return words


def _own_name(item: Any) -> str:
    """What an entry of a list calls itself, if it does."""
    names = (item.get(key) for key in ("id", "name")) if isinstance(item, dict) else ()
    return next((f'"{name}"' for name in names if isinstance(name, str)), "")


def _seen(value: Any, schemas: list[Any]) -> str:
    """The value as it stands in the file; secrets and long ones are not repeated."""
    if any(map(_holds_secrets, schemas)):
        return "a secret, not shown"
    if isinstance(value, dict):
        return short("keys " + ", ".join(map(str, value))) if value else "nothing"
    shown = '"' + value + '"' if isinstance(value, str) else str(value)
    shown = {"None": "nothing", "True": "true", "False": "false"}.get(shown, shown)
    return short(shown)


def _holds_secrets(schema: Any) -> bool:
    """Whether a value of this type is a secret, or a list or a choice of them."""
    if schema is SecretStr or getattr(schema, "__name__", "").startswith("Secret"):
        return True
    return any(map(_holds_secrets, get_args(schema)))


_WORDING: Final = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "model_attributes_type": "expected keys and values",
    "none_required": "expected nothing",
}
# With pydantic's own facts about the mistake.
_SIZES: Final = {
    "too_short": "expected {min_length} or more entries",
    "too_long": "expected {max_length} or fewer entries, not {seen}",
    "string_too_short": "expected text, not empty",
    "string_too_long": "expected {max_length} or fewer characters, not {seen}",
}


def _wording(detail: ErrorDetails) -> str:
    """The finding in the words of somebody who edits YAML."""
    if detail["type"] in _WORDING:
        return _WORDING[detail["type"]]
    if detail["type"] in {"literal_error", "enum"}:
        known = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        return f"must be one of {listing(detail['input'], known)}"
    if detail["type"] in _SIZES:
        return _SIZES[detail["type"]].format(**detail["ctx"], seen=_length(detail["input"]))
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should ")
    return f"must {message}" if detail["msg"].startswith("Input should ") else message


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | dict) else 0


def _schemas(model: type[BaseModel], data: Any, path: Path) -> list[Any]:
    """The types that the value at this path may have, models resolved as far as the data tells."""
    candidates = list(_alternatives(model))
    for step in path:
        candidates = [
            inner for schema in _fitting(candidates, data) for inner in _alternatives(_inside(schema, step))
        ]
        data = data[step]
    return _fitting(candidates, data)


def _fitting(schemas: list[Any], data: Any) -> list[Any]:
    """Of several models, those whose constant fields (`type: webhook`) agree with the data."""
    agreeing = [schema for schema in schemas if _agrees(schema, data)]
    return agreeing or schemas


def _agrees(schema: Any, data: Any) -> bool:
    if not (isinstance(schema, type) and issubclass(schema, BaseModel) and isinstance(data, dict)):
        return True
    return all(
        data[name] in get_args(field.annotation)
        for name, field in schema.model_fields.items()
        if get_origin(field.annotation) is Literal and name in data
    )


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The plain types inside unions, Optional and Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for member in get_args(annotation):
            yield from _alternatives(member)
    elif annotation not in {None, NoneType}:
        yield annotation


def _inside(schema: Any, step: str | int) -> Any:
    """The type one step further in."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        for name, field in schema.model_fields.items():
            if step in {name, field.alias}:
                return field.annotation
        return None
    arguments = get_args(schema)
    return arguments[-1 if isinstance(step, str) else 0] if arguments else None


def _keys(schemas: list[Any]) -> set[str]:
    """The keys that models among these types know."""
    return {
        field.alias or name
        for schema in schemas
        if isinstance(schema, type) and issubclass(schema, BaseModel)
        for name, field in schema.model_fields.items()
    }
