"""Models damaged everywhere, and the reference model by chance: they load, or it is told where they broke."""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.scorer.models import model_source
from shared.config_file import parse
from shared.errors import Misconfigured
from shared.scoring.file.read import read_model
from shared.scoring.lint.lint import lint
from tests.scoring import broken
from tests.scoring.test_reference_model import CONFIG

TEXT = (CONFIG / "scoring.yaml").read_text()
LINES = TEXT.splitlines()
DATA = parse(TEXT, file="m.yaml").data
LISTS = model_source.gather(CONFIG / "scoring.yaml").lists

JUNK = st.one_of(
    st.sampled_from(
        [
            "",
            "~",
            "[]",
            "{}",
            "-",
            "*",
            "&a b",
            "!!python/name:os.system",
            "'",
            '"',
            ": ",
            "\t",
            "-1",
            "0",
            "1e999",
        ]
    ),
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["fit", "mql", "14d"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


def told(text: str) -> Sequence[str]:
    """What the author reads: warnings about a model that loads, or mistakes, at least one."""
    try:
        return lint(read_model(parse(text, file="m.yaml"), lists={**LISTS, **broken.LISTS}))
    except Misconfigured as error:
        return error.problems or ["no problem is named"]


def check(text: str) -> None:
    """The promise: whatever is told names file and line."""
    sentences = told(text)
    assert all(re.match(r"m\.yaml:\d+: .", sentence) for sentence in sentences), sentences


@st.composite
def damaged_lines(draw: st.DrawFn) -> str:
    """The text with lines removed, doubled, moved, cut, and replaced by junk."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["remove", "double", "swap", "cut", "junk", "value", "indent"])):
            case "remove":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case "junk":
                lines[at] = draw(JUNK)
            case "value":
                lines[at] = f"{lines[at].partition(':')[0]}: {draw(JUNK)}"
            case "indent":
                lines[at] = " " * draw(st.integers(1, 3)) + lines[at]
    return "\n".join(lines)


@st.composite
def damaged_values(draw: st.DrawFn) -> str:
    """The data with parts removed, renamed, and replaced by values of other types, written as YAML again."""
    data = deepcopy(DATA)
    for _ in range(draw(st.integers(1, 3))):
        home: Any = data
        while True:
            keys = list(home) if isinstance(home, dict) else list(range(len(home)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(home[key], dict | list) and home[key] and draw(st.integers(0, 5)):
                home = home[key]
                continue
            action = draw(st.sampled_from(["remove", "replace", "rename"]))
            value = home.pop(key)
            if action == "rename" and isinstance(home, dict):
                home[draw(st.text(max_size=8))] = value
            elif action == "replace" and isinstance(home, dict):
                home[key] = draw(VALUES)
            elif action == "replace":
                home.insert(key, draw(VALUES))
            break
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(damaged_lines())
def test_a_damaged_text_loads_or_is_told_with_its_line(text: str) -> None:
    """Whatever happens to its lines, never another exception."""
    check(text)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(damaged_values())
def test_damaged_values_load_or_are_told_with_their_line(text: str) -> None:
    """Whatever type a value has, never another exception."""
    check(text)


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every part of the data, as what holds it and its key there."""
    for key in list(data) if isinstance(data, dict) else range(len(data)):
        yield data, key
        if isinstance(data[key], dict | list):
            yield from places(data[key])


def test_any_value_in_any_place_loads_or_is_told_with_its_line() -> None:
    """Each part of a small model, replaced by each kind of value, and taken away."""
    whole = parse(broken.GOOD, file="m.yaml").data
    values: list[Any] = [None, True, 5, "x", [], {"x": 1}]
    for home, key in places(whole):
        kept = home[key]
        for value in values:
            home[key] = value
            check(yaml.safe_dump(whole, sort_keys=False))
        home[key] = kept


def test_any_line_can_be_absent_or_be_there_twice() -> None:
    """Each line of a small model."""
    lines = broken.GOOD.splitlines()
    for at in range(len(lines)):
        check("\n".join([*lines[:at], *lines[at + 1 :]]))
        check("\n".join([*lines[: at + 1], *lines[at:]]))
