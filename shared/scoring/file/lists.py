"""Lists under `lists:` → which values are written out, and which are to be fetched from where.

In: what stands behind a list's name: a text, or a list of texts. Out: `ListParts`, or what is wrong with it.
Refuses paths that leave the folder of the model, builtin lists that do not exist, and values that look
like a path or a misspelled source. It reads nothing: services/scorer/models/model_source.py does.

    free-mail: builtin:free-mail                                   # comes with Leadscore
    rivals: lists/rivals.txt                                       # a file beside the model
    industries: [software, insurance]                              # values
    private: [builtin:free-mail, file:lists/more.txt, extra.example]   # several sources
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from shared.config_mistakes import listing
from shared.scoring.definition.conditions import fold_case

BUILTIN_LISTS: Final = ("disposable", "free-mail")
"""Lists that come with Leadscore, from maintained packages: domains of throw-away and of free e-mail."""

_BUILTIN: Final = "builtin:"
_FILE: Final = "file:"
_LIKE_A_PATH: Final = re.compile(r"\.{0,2}/.*|.*\.(txt|csv|tsv|list|ya?ml|json)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListParts:
    """One list, by where its values come from.

    builtins:  names out of BUILTIN_LISTS
    files:     paths relative to the folder of the model
    values:    what is written out, in lower case
    """

    builtins: tuple[str, ...]
    files: tuple[str, ...]
    values: frozenset[str]

    @property
    def is_written_out(self) -> bool:
        """Nothing has to be fetched."""
        return not (self.builtins or self.files)


def parts_of(given: str | Sequence[str]) -> ListParts:
    """The parts of a list as it stands in the file. A text alone is a source, never a value."""
    entries = [_alone(given)] if isinstance(given, str) else given
    return ListParts(
        builtins=tuple(entry.removeprefix(_BUILTIN) for entry in entries if entry.startswith(_BUILTIN)),
        files=tuple(entry.removeprefix(_FILE) for entry in entries if entry.startswith(_FILE)),
        values=frozenset(fold_case(entry) for entry in entries if not entry.startswith((_BUILTIN, _FILE))),
    )


def mistakes_in(given: str | Sequence[str]) -> Iterator[tuple[int | None, str]]:
    """What is wrong with a list as it stands in the file: the position of the entry, and a sentence."""
    entries = [_alone(given)] if isinstance(given, str) else given
    for position, entry in enumerate(entries):
        words = _mistake(entry)
        if words:
            yield None if isinstance(given, str) else position, words


def list_values(text: str) -> frozenset[str]:
    """The values in a list file: one per line, `#` begins a comment, case does not matter."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    return frozenset(value for line in lines if (value := fold_case(line)))


def _alone(text: str) -> str:
    """A text that stands alone is a path unless it says otherwise."""
    return text if text.startswith((_BUILTIN, _FILE)) else _FILE + text


def _mistake(entry: str) -> str:
    """What is wrong with one entry; empty if nothing."""
    if entry.startswith(_BUILTIN):
        name = entry.removeprefix(_BUILTIN)
        known = listing(name, BUILTIN_LISTS)
        return "" if name in BUILTIN_LISTS else f'unknown builtin list "{name}". Builtin lists: {known}'
    if entry.startswith(_FILE):
        return _path_mistake(entry.removeprefix(_FILE))
    if _LIKE_A_PATH.fullmatch(entry):
        return f'"{entry}" looks like a path, but stands among values. Write file:{entry}'
    return _prefix_mistake(entry)


def _path_mistake(path: str) -> str:
    """A model can come from anywhere: it must not read whatever lies on the machine that loads it."""
    parts = PurePosixPath(path).parts
    if not parts:
        return "the path is empty. Write file: and a path such as lists/own.txt"
    if path.startswith(("/", "~")) or ".." in parts or "\\" in path or re.match("[A-Za-z]:", path):
        return (
            f'"{path}" may lie outside the folder of the model. '
            "Lists lie beside the model or below it, such as lists/own.txt"
        )
    return ""


def _prefix_mistake(entry: str) -> str:
    prefix, colon, rest = entry.partition(":")
    close = difflib.get_close_matches(prefix, ("builtin", "file"), n=1, cutoff=0.7) if colon else []
    return f'"{entry}" is read as a value. Did you mean {close[0]}:{rest.strip()}?' if close else ""
