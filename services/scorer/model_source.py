"""A model file and the lists beside it → the model, and all it was made from.

In: the path of a scoring.yaml. Out: `Source`: the model, its text, its lists.
Refuses (`Misconfigured`) files that cannot be read, and every mistake that the model file has.
"""

from dataclasses import dataclass
from pathlib import Path

from services.scorer.store.models import Lists
from shared.errors import Misconfigured
from shared.scoring.model import Model
from shared.scoring.model_file import list_files, list_values, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model with what it was made from: enough to store it and make it again."""

    model: Model
    text: str
    lists: Lists


def read(file: Path) -> Source:
    """The model in this file; the lists it names by path lie relative to it."""
    text = _text(file)
    named = list_files(text, file=str(file))
    lists = {name: list_values(_text(file.parent / path)) for name, path in named.items()}
    return Source(model=load(text, file=str(file), lists=lists), text=text, lists=lists)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "The scoring model cannot be read:",
            [f"{file}: {type(error).__name__}. LEADSCORE_SCORER_MODEL_FILE names the model"],
        ) from error
