"""Every situations file there is: those of the shipped models, and those that cover the engine."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.scorer.models import model_source
from shared import config_file
from shared.scoring.situations.check import judge
from shared.scoring.situations.read import Situations, load_situations

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
SHIPPED = sorted(CONFIG.glob("*.situations.yaml"))
COVERING = sorted((Path(__file__).parent / "situations").glob("*.yaml"))

Read = Callable[[Path], Situations]


def cases() -> Iterator[Any]:
    """Where each situation stands. No model is made here: mutation testing changes the engine after this."""
    for path in (*SHIPPED, *COVERING):
        for position, situation in enumerate(config_file.parse(path.read_text(), file="").data["situations"]):
            yield pytest.param(path, position, id=f"{path.stem}: {situation['name']}")


@pytest.fixture(scope="session")
def read() -> Read:
    """The situations of a file, read once; but each time where mutmut learns which test needs which line."""

    def load(path: Path) -> Situations:
        beside = path.with_name(path.name.replace(".situations.yaml", ".yaml"))
        model = model_source.read(beside).model if beside != path else None
        return load_situations(path.read_text(), file=path.name, model=model)

    return load if os.environ.get("MUTANT_UNDER_TEST") == "stats" else cache(load)


@pytest.mark.parametrize(("path", "position"), list(cases()))
def test_the_situation_ends_as_told(path: Path, position: int, read: Read) -> None:
    """Score, receipts, stages and what comes next are those that the situation expects."""
    found = read(path)
    assert judge(found.model, found.situations[position]).differences == ()


def test_every_folder_has_situations() -> None:
    """Neither the shipped model nor the engine is without."""
    assert SHIPPED
    assert COVERING
