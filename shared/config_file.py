"""YAML files that people write: text → plain data that knows its lines → a checked pydantic object.

In: the text of a file such as sources.yaml, and the pydantic model it must fit. Out: a `Document`
(data, and the line of every value), or an instance of the model.
Refuses (`Misconfigured`, every mistake at once, each with its line): syntax errors, duplicate keys,
anchors and aliases, tags, files above 1 MB or 50,000 values, nesting deeper than 32, and whatever the model
refuses. Of more than a hundred mistakes the first hundred are told: whoever has more has the wrong file.

Scalars are read as YAML 1.2 does: `no`, `on` and `2026-01-31` are text, `0123` is text, `true` is a
boolean. YAML 1.1 would turn the country code of Norway into false.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from shared.config_mistakes import NO_NOUNS, Nouns, Path, explain, short
from shared.config_syntax import syntax_problem
from shared.errors import Misconfigured

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 50_000
MOST_TOLD: Final = 100

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(
    r"[-+]?(0|[1-9][0-9]{0,17})?\.[0-9]{1,30}|[-+]?[1-9](\.[0-9]{1,30})?[eE][-+]?[0-9]{1,2}"
)
_WORDS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}

AnyModel = TypeVar("AnyModel", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file.

    file:   its name, as messages show it
    data:   dicts, lists, text, numbers, booleans, None; keys are always text
    lines:  path → line, counted from 1
    """

    file: str
    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of this value, or of the nearest thing around it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: Path, message: str) -> str:
        """One mistake as a sentence that names file and line."""
        return f"{self.file}:{self.line(path)}: {message}"


def parse(text: str, *, file: str) -> Document:
    """Read YAML as plain data.

        text:  the content of the file
        file:  its name, for messages

    Raises Misconfigured with every structural mistake.
    """
    content = _encoded(text, file)
    if len(content) > MAX_BYTES:
        raise refusal(file, [f"{file}:1: {len(content):,} bytes. At most {MAX_BYTES:,}; split off lists"])
    try:
        problems = list(islice(_refused_constructs(text, file), MOST_TOLD))
        if problems:
            raise refusal(file, problems)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise refusal(file, [syntax_problem(error, content, file)]) from error
    reader = _Reader(file)
    data = reader.read(node, ()) if node is not None else None
    if reader.problems:
        raise refusal(file, reader.problems)
    return Document(file=file, data=data, lines=reader.lines)


def _encoded(text: str, file: str) -> bytes:
    """The text as bytes; half a character, as JSON can spell it, is none."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise refusal(file, [f"{file}:{line}: half a character (a surrogate). Save it as UTF-8"]) from error


def validate(document: Document, model: type[AnyModel], nouns: Nouns = NO_NOUNS) -> AnyModel:
    """The document as an instance of this pydantic model.

        nouns:  what one entry of a section is called in messages: `{"destinations": "destination"}`

    Raises Misconfigured with one line per mistake, in the order of the file.
    """
    try:
        return model.model_validate({} if document.data is None else document.data)
    except ValidationError as error:
        details = error.errors(include_url=False)[:MOST_TOLD]
        found = {explain(document.data, model, detail, nouns): None for detail in details}
        in_order = sorted(found, key=lambda mistake: document.line(mistake[0]))
        raise refusal(document.file, [document.problem(*mistake) for mistake in in_order]) from error


class _Reader:
    """Nodes → data, noting lines and mistakes on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.problems: list[str] = []

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, position)) for position, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            line = _line(key)
            if len(self.problems) >= MOST_TOLD:
                break
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(f"{self.file}:{line}: a key is a list or a mapping. Use plain text")
            elif key.value in data:
                first = self.lines[*path, key.value]
                twice = f'key "{short(key.value)}" is here twice, first in line {first}. Remove one'
                self.problems.append(f"{self.file}:{line}: {twice}")
            else:
                self.lines[*path, key.value] = line
                data[key.value] = self.read(value, (*path, key.value))
        return data


def _scalar(node: Any) -> str | int | float | bool | None:
    """A plain scalar as what it looks like in YAML 1.2, a quoted one as text."""
    text = str(node.value)
    if node.style:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _refused_constructs(text: str, file: str) -> Iterator[str]:
    """What could be a bomb or code is refused while it is still a stream, before anything is built."""
    depth = values = 0
    event: Any
    for event in yaml.parse(text, Loader=_LOADER):
        line = _line(event)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            yield f"{file}:{line}: nested deeper than {MAX_DEPTH} levels. Flatten it"
            return
        values += isinstance(event, yaml.NodeEvent)
        if values > MAX_VALUES:
            yield f"{file}:{line}: more than {MAX_VALUES:,} keys and values. Put long lists into own files"
            return
        name = short(getattr(event, "anchor", None) or "")
        if isinstance(event, yaml.AliasEvent):
            yield f'{file}:{line}: alias "*{name}". Write the value out: aliases are not read'
        elif name:
            yield f'{file}:{line}: anchor "&{name}". Remove it: anchors are not read'
        if getattr(event, "tag", None):
            tag = short(event.tag.replace("tag:yaml.org,2002:", "!!"))
            yield f'{file}:{line}: tag "{tag}". Remove it: tags are not read'


def _line(part: Any) -> int:
    return int(part.start_mark.line) + 1


def refusal(file: str, problems: list[str]) -> Misconfigured:
    """What to raise for these mistakes in this file."""
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    if len(problems) >= MOST_TOLD:
        count = f"{MOST_TOLD} mistakes or more"
    return Misconfigured(f"{file} has {count}:", problems[:MOST_TOLD])
