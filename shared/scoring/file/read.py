"""scoring.yaml → `Model`, or every mistake in it with its line.

In: the text of the file and the values of the lists it names. Out: a `Model`, or a `Reading` of it.
Refuses (`Misconfigured`) whatever is not understood: syntax, types, unknown keys and names, impossible
numbers, patterns that could hang, stages that never rest. It reads no file: the caller brings the text
and the lists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from shared.config_file import MOST_TOLD, Document, parse, refusal
from shared.config_mistakes import Path, at, explain
from shared.errors import Misconfigured
from shared.scoring.analysis.cycles import endless
from shared.scoring.definition.model import Model
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.build import build
from shared.scoring.file.conditions import ConditionReader
from shared.scoring.file.lists import ListParts, mistakes_in, parts_of
from shared.scoring.file.references import check_references, names_in
from shared.scoring.file.salvage import is_consequence, salvage
from shared.scoring.file.shape import ModelShape

NOUNS: Final = {
    "dimensions": "dimension",
    "groups": "group",
    "lists": "list",
    "engagement": "rule",
    "fit": "rule",
    "stages": "stage",
}

Lists = Mapping[str, frozenset[str]]
Trouble = Mapping[str, str]
"""Lists that could not be read: name → why, in a sentence."""
Mistake = tuple[Path, str]

# Mistakes here leave the stages as they are meant, so that cycles in them can be told at the same time.
_BESIDE_STAGES: Final = {("engagement",), ("fit",), ("lists",), ("accounts",), ("consent",)}

NO_LISTS: Final[Lists] = {}
NO_TROUBLE: Final[Trouble] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A model file without mistakes.

    compiled:  the model as the engine wants it
    document:  where everything stands in the file
    lists:     the values of every list
    used:      the names of the lists that a condition looks into
    """

    compiled: Compiled
    document: Document
    lists: Lists
    used: frozenset[str]

    @property
    def model(self) -> Model:
        """What the file says."""
        return self.compiled.model


def load_model(text: str, *, file: str, lists: Lists = NO_LISTS, trouble: Trouble = NO_TROUBLE) -> Compiled:
    """The model in this text, ready to score; see `read_model`.

    file:  its name, for messages
    """
    return read_model(parse(text, file=file), lists=lists, trouble=trouble).compiled


def read_model(document: Document, *, lists: Lists = NO_LISTS, trouble: Trouble = NO_TROUBLE) -> Reading:
    """The model in this document (`shared.config_file.parse`), and where its parts stand.

        lists:    what the caller fetched for the lists that are not written out, see `list_sources`
        trouble:  which of them could not be fetched

    Raises Misconfigured with every mistake, in the order of the file.
    """
    mistakes, shape, mended = _shape(document)
    if shape is None:
        raise _refusal(document, mistakes)
    values = _values(shape, document, lists)
    reader = ConditionReader(values)
    compiled = Compiled.of(build(shape, reader))
    found = [(path, path[:2], words) for path, words in check_references(shape, names_in(document.data))]
    found += [(path, path[:2], words) for path, words in _list_mistakes(shape, lists, trouble)]
    found += [(path, path, words) for path, words in reader.problems]
    mistakes += [
        (path, at(document.data, place, words, NOUNS))
        for path, place, words in found
        if not is_consequence(path, mended)
    ]
    if {path[:1] for path, _ in mistakes} <= _BESIDE_STAGES:
        mistakes += _cycles(compiled, document)
    if mistakes:
        raise _refusal(document, mistakes)
    return Reading(compiled=compiled, document=document, lists=values, used=frozenset(reader.used))


def list_sources(document: Document) -> dict[str, ListParts]:
    """The lists whose values the caller has to fetch; whatever is wrong with them is left to `read`."""
    data = document.data
    lists = data.get("lists") if isinstance(data, dict) else None
    found = {}
    for name, given in lists.items() if isinstance(lists, dict) else ():
        entries = [str(entry) for entry in given] if isinstance(given, list) else given
        if isinstance(entries, str | list) and not any(mistakes_in(entries)):
            found[name] = parts_of(entries)
    return {name: parts for name, parts in found.items() if not parts.is_written_out}


def _shape(document: Document) -> tuple[list[Mistake], ModelShape | None, list[Path]]:
    """What is wrong with the shape, what can be looked at further, and where that is not what was written."""
    data = {} if document.data is None else document.data
    try:
        return [], ModelShape.model_validate(data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        mistakes = [explain(data, ModelShape, detail, NOUNS) for detail in details[:MOST_TOLD]]
        return mistakes, *(salvage(data, error) if len(details) < MOST_TOLD else (None, []))


def _values(shape: ModelShape, document: Document, fetched: Lists) -> dict[str, frozenset[str]]:
    """The values of every list: those written out, and those fetched. A list with a mistake has none."""
    named = document.data.get("lists")
    return {name: frozenset[str]() for name in (named if isinstance(named, dict) else ())} | {
        name: parts_of(given).values | fetched.get(name, frozenset()) for name, given in shape.lists.items()
    }


def _list_mistakes(shape: ModelShape, fetched: Lists, trouble: Trouble) -> Iterator[Mistake]:
    """What is wrong with the lists as they are written, and what could not be fetched."""
    for name, given in shape.lists.items():
        mistakes = list(mistakes_in(given))
        for position, words in mistakes:
            yield ("lists", name) if position is None else ("lists", name, position), words
        if not mistakes and name in trouble:
            yield ("lists", name), trouble[name]
        elif not (mistakes or name in fetched or parts_of(given).is_written_out):
            yield ("lists", name), "its values were not fetched. Load the model by its file"


def _cycles(model: Compiled, document: Document) -> Iterator[Mistake]:
    for cycle in endless(model):
        yield cycle.place, at(document.data, cycle.place[:2], cycle.words(document.line), NOUNS)


def _refusal(document: Document, mistakes: list[Mistake]) -> Misconfigured:
    """All mistakes in the order of the file, each told once."""
    in_order = sorted(dict.fromkeys(mistakes), key=lambda mistake: document.line(mistake[0]))
    return refusal(document.file, [document.problem(*mistake) for mistake in in_order])
