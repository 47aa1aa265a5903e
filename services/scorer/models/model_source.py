"""A model file and the lists that it names → the model, and all it was made from.

In: the path of a scoring.yaml. Out: `ModelSource`: the model, its text, its lists; or `Ingredients`, before
anybody has looked whether they make a model.
Refuses (`Misconfigured`) files that cannot be read, and every mistake that the model file has.

A model may come from anywhere, so it reads only what lies in its own folder or below it, only plain
files (a pipe would never end), and at most a megabyte of each.
"""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.scorer.models import builtin_lists
from shared.config_file import MAX_BYTES, Document, parse
from shared.errors import Misconfigured
from shared.leads.store.models import Lists
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.lists import ListParts, list_values
from shared.scoring.file.read import Trouble, list_sources, read_model

_UNREADABLE: Final = "The scoring model cannot be read (LEADSCORE_SCORER_MODEL_FILE names the scorer's):"
_ENCODINGS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model with what it was made from: enough to store it and make it again."""

    model: Compiled
    text: str
    lists: Lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """What a model is made from, as it was found.

    document: the same, parsed
    lists:    the values of every list that is not written out in the text, as far as they could be read
    trouble:  why the others could not: list → sentence
    """

    text: str
    document: Document
    lists: Lists
    trouble: Trouble


def read(file: Path) -> ModelSource:
    """The model in this file."""
    found = gather(file)
    reading = read_model(found.document, lists=found.lists, trouble=found.trouble)
    return ModelSource(model=reading.compiled, text=found.text, lists=found.lists)


def gather(file: Path) -> Ingredients:
    """The text of this file, and the values of the lists that it names.

    Raises Misconfigured if the file cannot be read or is not YAML.
    """
    try:
        text = _text(file)
    except _UnreadableError as error:
        raise Misconfigured(_UNREADABLE, [f"{file}:{error.line}: {error}"]) from error
    document = parse(text, file=str(file))
    lists, trouble = {}, {}
    for name, parts in list_sources(document).items():
        try:
            lists[name] = _values(parts, file.parent)
        except _UnreadableError as error:
            trouble[name] = str(error)
    return Ingredients(text=text, document=document, lists=lists, trouble=trouble)


class _UnreadableError(Exception):
    """A file that is no text of ours; the message says why and what would work."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def _values(parts: ListParts, folder: Path) -> frozenset[str]:
    builtin = [builtin_lists.values(name) for name in parts.builtins]
    files = [_file_values(folder, path) for path in parts.files]
    return frozenset[str]().union(*builtin, *files)


def _file_values(folder: Path, path: str) -> frozenset[str]:
    try:
        inside = (folder / path).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        raise _UnreadableError(f'file "{path}": {error}. Write the path of a file') from error
    if not inside:
        raise _UnreadableError(f'file "{path}" is a link out of the folder of the model. Put the file there')
    try:
        return list_values(_text(folder / path))
    except _UnreadableError as error:
        raise _UnreadableError(f'file "{path}": {error}') from error


def _text(file: Path) -> str:
    """The text of a file that people write; a mark that Windows puts in front of it is not part of it."""
    content = _content(file)
    if b"\0" in content and content[:2] not in _ENCODINGS:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise _UnreadableError(f"byte 0x00 in line {line}: this is no text. Save it as UTF-8", line)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        seen = _ENCODINGS.get(content[:2], f"byte 0x{content[error.start]:02x} in line {line}")
        raise _UnreadableError(f"{seen} is not UTF-8. Save it as UTF-8", line) from error


def _content(file: Path) -> bytes:
    try:
        kind = file.stat()
        if not stat.S_ISREG(kind.st_mode):
            what = "a folder" if stat.S_ISDIR(kind.st_mode) else "no plain file"
            raise _UnreadableError(f"this is {what}. Name a file")
        if kind.st_size > MAX_BYTES:
            raise _UnreadableError(f"{kind.st_size:,} bytes. At most {MAX_BYTES:,}; split off lists")
        return file.read_bytes()
    except FileNotFoundError as error:
        raise _UnreadableError("there is no such file. Create it, or name another") from error
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _UnreadableError(f"it cannot be read: {words}. Name a file that this user may read") from error
