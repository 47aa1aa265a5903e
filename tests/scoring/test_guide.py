"""The marketer's guide is true: its model grows block by block, and its situations hold where they stand."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from shared import config_file
from shared.scoring.definition.conditions import Operator
from shared.scoring.definition.fields import EVENT_FIELDS
from shared.scoring.definition.rules import MOST_VALUES
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import Reading, read_model
from shared.scoring.lint.lint import lint
from shared.scoring.situations.check import Situation, judge
from shared.scoring.situations.read import load_situations
from shared.scoring.situations.shape import EventShape, ExpectShape, SituationShape

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "scoring-model.md"
TEXT = GUIDE.read_text()
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[Reading, list[Situation]]]:
    """Each YAML block: the model as it is by then, and the situations if the block has some."""
    data: dict[str, Any] = {}
    for found in BLOCK.finditer(TEXT):
        block, lines_above = found[1], "\n" * TEXT[: found.start(1)].count("\n")
        read = config_file.parse(lines_above + block, file=GUIDE.name).data
        situations = "situations" in read
        if not situations:
            data = merged(data, read)
        whole = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        reading = read_model(config_file.parse(whole, file=GUIDE.name))
        text = lines_above + block
        model = reading.compiled
        lived = load_situations(text, file=GUIDE.name, model=model).situations if situations else ()
        yield reading, list(lived)


def merged(data: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Entries of a section are added to those that are there."""
    both = {name: {**data[name], **more[name]} for name in data.keys() & more.keys()}
    return {**data, **more, **both}


CASES = [
    pytest.param(reading.compiled, situation, id=f"line {situation.line}: {situation.name}")
    for reading, situations in steps()
    for situation in situations
]


@pytest.mark.parametrize(("model", "situation"), CASES)
def test_every_situation_in_the_guide_holds(model: Compiled, situation: Situation) -> None:
    """With the model that the guide has built up to that line."""
    assert judge(model, situation).differences == ()


def test_the_model_that_the_guide_builds_raises_no_doubts() -> None:
    """Neither while it grows nor at its end does the linter warn of a rule."""
    *_, (reading, _) = steps()
    assert lint(reading) == []
    assert len(CASES) > 20


def test_the_guide_says_how_many_things_a_limit_tells_apart() -> None:
    """The number in the text is the one of the engine."""
    assert f"**Up to {MOST_VALUES} things**" in TEXT


def test_the_guide_has_every_operator_and_every_field() -> None:
    """A marketer who looks for one finds it in a table."""
    rows = "".join(line for line in TEXT.splitlines() if line.startswith("|"))
    wanted = {*get_args(Operator), "all", "any", "not", *EVENT_FIELDS}
    assert {name for name in wanted if f"`{name}`" not in rows} == set()


def test_every_key_of_a_situation_is_told() -> None:
    """What a situation may say and expect stands in the guide's table."""
    rows = "".join(line for line in TEXT.splitlines() if line.startswith("|"))
    shapes = (SituationShape, EventShape, ExpectShape)
    keys = {name for shape in shapes for name in shape.model_fields} - {"name", "anonymous_id", "account_id"}
    assert {name for name in keys if not re.search(rf"`(expect: )?{name}[`:]", rows)} == set()
