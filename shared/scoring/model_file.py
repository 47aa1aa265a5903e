"""scoring.yaml → `Model`, or every mistake in it with its line.

In: the text of the file and the values of the lists it names. Out: a `Model`.
Refuses (`Misconfigured`) whatever is not understood: syntax, types, unknown keys and names, impossible
numbers, patterns that could hang. It reads no file: the caller brings the text and the lists.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from shared import config_file
from shared.config_file import Document
from shared.config_mistakes import Path, at, explain
from shared.scoring.build import build
from shared.scoring.condition_file import ConditionReader
from shared.scoring.conditions import fold_case
from shared.scoring.model import Model
from shared.scoring.model_shape import ModelShape
from shared.scoring.references import check_references, names_in

_NOUNS: Final = {
    "dimensions": "dimension",
    "groups": "group",
    "lists": "list",
    "engagement": "rule",
    "fit": "rule",
    "stages": "stage",
}
# What stands in for a broken part while the rest of the file is looked at.
_STAND_INS: Final[Mapping[str, Any]] = {
    "name": "unnamed",
    "grade": {"fit": {"A": 3, "B": 2, "C": 1}, "engagement": {"1": 3, "2": 2, "3": 1}},
}
NO_LISTS: Final[Mapping[str, frozenset[str]]] = {}


def load(text: str, *, file: str, lists: Mapping[str, frozenset[str]] = NO_LISTS) -> Model:
    """The model in this text.

        file:   its name, for messages
        lists:  the values of the lists that the file names by path, see `list_files`

    Raises Misconfigured with every mistake, in the order of the file.
    """
    document = config_file.parse(text, file=file)
    mistakes, shape = _shape(document)
    if shape is None:
        raise _refusal(document, mistakes)
    names = names_in(document.data)
    mistakes += [(path, _at(document, path[:2], words)) for path, words in check_references(shape, names)]
    values, absent = _lists(shape, lists)
    mistakes += [(path, _at(document, path, words)) for path, words in absent]
    reader = ConditionReader(values)
    model = build(shape, reader)
    mistakes += [(path, _at(document, path, words)) for path, words in reader.problems]
    if mistakes:
        raise _refusal(document, mistakes)
    return model


def list_files(text: str, *, file: str) -> dict[str, str]:
    """The lists that this file names by path: name → path, relative to the file.

    Raises Misconfigured if the text is not YAML. Anything else that is wrong is left to `load`.
    """
    data = config_file.parse(text, file=file).data
    lists = data.get("lists") if isinstance(data, dict) else None
    entries = lists.items() if isinstance(lists, dict) else ()
    return {name: path for name, path in entries if isinstance(path, str)}


def list_values(text: str) -> frozenset[str]:
    """The values in a list file: one per line, `#` begins a comment, case does not matter."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    return frozenset(value for line in lines if (value := fold_case(line)))


def _shape(document: Document) -> tuple[list[tuple[Path, str]], ModelShape | None]:
    """What is wrong with the shape, and as much of the file as can be looked at further."""
    data = {} if document.data is None else document.data
    try:
        return [], ModelShape.model_validate(data)
    except ValidationError as error:
        mistakes = [explain(data, ModelShape, detail, _NOUNS) for detail in error.errors(include_url=False)]
    try:
        return mistakes, ModelShape.model_validate(_sound_part(data, [path for path, _ in mistakes]))
    except ValidationError:
        return mistakes, None


def _sound_part(data: Any, broken: Iterable[Path]) -> dict[str, Any]:
    """The file without the entries that have mistakes."""
    if not isinstance(data, dict):
        return {}
    sound = {key: dict(part) if isinstance(part, dict) else part for key, part in data.items()}
    for path in broken:
        if len(path) > 1 and path[0] in _NOUNS:
            sound[str(path[0])].pop(path[1], None)
        elif path:
            sound.pop(str(path[0]), None)
    return {**_STAND_INS, **sound}


def _lists(
    shape: ModelShape, loaded: Mapping[str, frozenset[str]]
) -> tuple[dict[str, frozenset[str]], list[tuple[Path, str]]]:
    """The values of every list, and which files nobody brought."""
    values: dict[str, frozenset[str]] = {}
    absent: list[tuple[Path, str]] = []
    for name, given in shape.lists.items():
        if not isinstance(given, str):
            values[name] = frozenset(map(fold_case, given))
        elif name in loaded:
            values[name] = loaded[name]
        else:
            values[name] = frozenset()
            absent.append((("lists", name), f'file "{given}" is not there. Create it, or write the values'))
    return values, absent


def _at(document: Document, path: Path, words: str) -> str:
    return at(document.data, path, words, _NOUNS)


def _refusal(document: Document, mistakes: list[tuple[Path, str]]) -> Exception:
    """All mistakes in the order of the file, each told once."""
    in_order = sorted(dict.fromkeys(mistakes), key=lambda mistake: document.line(mistake[0]))
    return config_file.refusal(document.file, [document.problem(*mistake) for mistake in in_order])
