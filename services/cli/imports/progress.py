"""How far an import is: a small file beside the file that is imported, written after each acknowledged chunk.

In: what was done. Out: `Progress`, also after kill -9. The file is replaced in one step, so that it is whole
or the one before; what was sent after it was written is sent again, and counts once.
Refuses to go on with an import of another file content, or of other options.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from shared.errors import Invalid

_PIECE: Final = 1024 * 1024


class Progress(msgspec.Struct, kw_only=True):
    """How far the import of one file under one source is.

    file_sha256:     which content it is
    options:         how its rows are meant, and whether destinations are told
    rows:            rows that are done, from the first on
    sent:            events that Kafka has acknowledged
    rejected:        rows, and items of batches, that are no events
    rejected_bytes:  how long the file of rejected rows is
    finished:        every row is done
    """

    file_sha256: str
    options: str
    rows: int = 0
    sent: int = 0
    rejected: int = 0
    rejected_bytes: int = 0
    finished: bool = False


def digest(path: Path) -> str:
    """Which content a file has."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def beside(path: Path, source: str) -> Path:
    """Where the progress of this file's import under this source is kept."""
    return path.with_name(f"{path.name}.{source}.import.json")


def begun(path: Path, fresh: Progress, *, again: bool) -> Progress:
    """The progress kept there; the fresh one if nothing is done, the file has another content, or `again`.

    Raises Invalid `other_options` if the import began with others.
    """
    kept = None if again else _read(path)
    if kept is None or kept.file_sha256 != fresh.file_sha256 or not kept.rows:
        return fresh
    if kept.options != fresh.options:
        raise Invalid(
            "other_options",
            f"this import began with other options ({kept.options}). Give the same, or --again to begin anew",
        )
    return kept


def keep(path: Path, progress: Progress) -> None:
    """Write it down in one step. Raises Invalid `unwritable_folder`."""
    unfinished = path.with_suffix(".unfinished")
    try:
        unfinished.write_bytes(msgspec.json.encode(progress))
        unfinished.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> Invalid:
    """What an import keeps beside its file cannot be kept there."""
    return Invalid(
        "unwritable_folder",
        f"{path} cannot be written ({error.strerror}): an import keeps there how far it is, and what it "
        "rejected. Copy the file to a folder where you may write and there is room",
    )


def _read(path: Path) -> Progress | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Progress)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise Invalid(
            "unreadable_progress", f"{path} is no progress of an import: {error}. Delete it, or give --again"
        ) from error
