"""Every situations file there is: those of the shipped models, and those that cover the engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.scorer import model_source
from shared.scoring import situation_file
from shared.scoring.model import Model
from shared.scoring.situations import Situation, judge

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
SHIPPED = sorted(CONFIG.glob("*.situations.yaml"))
COVERING = sorted((Path(__file__).parent / "situations").glob("*.yaml"))


def cases() -> Iterator[Any]:
    for path in (*SHIPPED, *COVERING):
        beside = path.with_name(path.name.replace(".situations.yaml", ".yaml"))
        model = model_source.read(beside).model if beside != path else None
        found = situation_file.load(path.read_text(), file=path.name, model=model)
        for situation in found.situations:
            yield pytest.param(found.model, situation, id=f"{path.stem}: {situation.name}")


@pytest.mark.parametrize(("model", "situation"), list(cases()))
def test_the_situation_ends_as_told(model: Model, situation: Situation) -> None:
    """Score, receipts, stages and what comes next are those that the situation expects."""
    assert judge(model, situation).differences == ()


def test_every_folder_has_situations() -> None:
    """Neither the shipped model nor the engine is without."""
    assert SHIPPED
    assert COVERING
