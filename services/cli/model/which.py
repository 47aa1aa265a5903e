"""What a person calls a model → that model.

In: the path of a scoring.yaml, the number of a stored version, or the word `active`. Out: `Named`.
Refuses (`Misconfigured`) files with mistakes, and (`Invalid`) versions that nobody stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.scorer.models import model_source
from shared.deployed import shipped
from shared.errors import Invalid
from shared.leads.store import models as stored_models
from shared.leads.store.models import StoredModel
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import load_model

ACTIVE: Final = "active"
_TOO_MANY: Final = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A model, and what it was made from.

    title:    as messages call it: "version 3", or the path of the file
    version:  None for a file that is not stored
    """

    title: str
    model: Compiled
    text: str
    lists: Mapping[str, frozenset[str]]
    version: int | None


def is_stored(name: str) -> bool:
    """Whether this names something in the database, and no file."""
    return name == ACTIVE or name.isdecimal()


def from_file(file: Path) -> Named:
    """The model in this file; `deploy/config/scoring.yaml` is also the one that comes with Leadscore."""
    file = shipped(file)
    source = model_source.read(file)
    return Named(title=str(file), model=source.model, text=source.text, lists=source.lists, version=None)


async def find(connection: Any, name: str) -> Named:
    """The model of this name: a file's path, a version's number, or `active`."""
    if not is_stored(name):
        return from_file(Path(name))
    if name == ACTIVE:
        stored = await stored_models.active(connection)
    else:
        stored = await stored_models.version(connection, int(name)) if int(name) < _TOO_MANY else None
    if stored is None:
        raise Invalid("no_such_model", f"there is no {_title(name)}. `leadscore model history` lists them")
    return _named(stored)


def _named(stored: StoredModel) -> Named:
    title = f"version {stored.version}"
    model = load_model(stored.content, file=title, lists=stored.lists)
    return Named(title=title, model=model, text=stored.content, lists=stored.lists, version=stored.version)


def _title(name: str) -> str:
    return "active model yet" if name == ACTIVE else f"version {name}"
