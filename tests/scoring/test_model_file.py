"""What people are told about the mistakes in their scoring.yaml: each alone, and all at once."""

import re

import pytest

from shared.config_file import parse
from shared.errors import Misconfigured
from shared.scoring.file.read import list_sources, load_model
from tests.scoring import broken, broken_yaml
from tests.scoring.broken import GOOD, LISTS
from tests.scoring.broken_yaml import WHOLE

BAD = broken.BAD | broken_yaml.BAD
TEXTS = {name: GOOD.replace(before, after) for name, (before, after, _) in BAD.items()}
TEXTS |= {name: text for name, (text, _) in WHOLE.items()}


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(Misconfigured) as caught:
        load_model(text, file="scoring.yaml", lists=LISTS)
    return caught.value.problems


def test_a_good_file_is_a_model() -> None:
    """The file that the mistakes below are made in has none."""
    model = load_model(GOOD, file="scoring.yaml", lists=LISTS)
    assert [rule.id for rule in model.engagement] == ["pricing", "demo-request"]
    assert [stage.name for stage in model.stages] == ["lead", "mql", "sql"]


@pytest.mark.parametrize(("before", "after", "message"), BAD.values(), ids=BAD.keys())
def test_each_mistake_has_its_message(before: str, after: str, message: str) -> None:
    """One change breaks the good file, and one sentence names the line, the value and the remedy."""
    assert GOOD.count(before) == 1, "the change must hit one place"
    problems = problems_of(GOOD.replace(before, after))
    assert any(message in problem for problem in problems), problems
    assert all(re.match(r"scoring\.yaml:\d+: ", problem) for problem in problems)


@pytest.mark.parametrize(("text", "message"), WHOLE.values(), ids=WHOLE.keys())
def test_what_is_no_model_at_all_is_refused(text: str, message: str) -> None:
    """Whatever the text, the answer is at most a hundred sentences, never a traceback."""
    problems = problems_of(text)
    assert any(message in problem for problem in problems), problems[:3]
    assert len(problems) <= 100
    assert all(re.match(r"scoring\.yaml:\d+: ", problem) for problem in problems)


def test_every_mistake_is_told_apart_from_every_other() -> None:
    """No two broken files get the same answer; only files without any content share theirs."""
    told: dict[tuple[str, ...], list[str]] = {}
    for name, text in TEXTS.items():
        told.setdefault(problems_of(text), []).append(name)
    assert [names for names in told.values() if len(names) > 1] == [["empty", "comments only", "nothing"]]
    assert len(told) > 100


def test_all_mistakes_come_at_once_and_in_order() -> None:
    """A wrong type, an unknown group and an unknown operator are told together, by line, each once."""
    text = GOOD.replace("points: 8", "points: eight").replace("group: forms", "group: form")
    text = text.replace("{not_in: free-mail}", "{isnt: free-mail}")
    problems = problems_of(text)
    assert [problem.split(":")[1] for problem in problems] == ["19", "24", "32"]


def test_a_broken_entry_is_not_told_twice() -> None:
    """A group with a mistake still exists for the rules that are in it."""
    problems = problems_of(GOOD.replace("dimension: engagement}\n  email", "dimnsion: engagement}\n  email"))
    assert all("unknown group" not in problem for problem in problems)
    assert len(problems) == 2


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"points: 8": "points: eight", "group: web\n": "group: webb\n"}, [16, 19]),
        ({"points: 8": "points: eight", "{starts_with: /pricing}": "{start_with: /pricing}"}, [18, 19]),
        ({"half_life: 14d": "halflife: 14d", "times: 3": "times: 0", "    group: web\n": ""}, [14, 19, 20]),
        ({"{en: Pricing, de: Preise}": "{en: Pricing}", "group: web\n": "group: webb\n"}, [15, 16]),
        (
            {"points: {by: properties.form, values: {demo: 30}}": "points: {by: form, values: {demo: x}}"},
            [27, 27],
        ),
        ({"leave: {below: {score: 30}, to: lead}": "leave: {below: {scor: 30}, to: leed}"}, [41, 41]),
        ({"enter: {at_least: {score: 40}}": "enter: {at_least: {score: x}, from: nowhere}"}, [40, 40]),
        ({"dimension: fit}": "dimension: fitt, between: [1]}"}, [9, 9]),
        ({"A: 30": "A: x", "{score: 60}": "{scor: 60}"}, [35, 44]),
        ({"  fit: {label: {en: Fit, de: Passung}}\n": "", "between: [0, 60]": "between: [60]"}, [2, 3, 8]),
        ({"free-mail: [gmail.com, GMX.de]": "free-mail: 5"}, [11]),
    ],
)
def test_mistakes_of_type_and_of_name_come_together(changes: dict[str, str], lines: list[int]) -> None:
    """A rule's wrong type does not hide its unknown group, and nothing is told that only follows from it."""
    text = GOOD
    for before, after in changes.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    assert [int(problem.split(":")[1]) for problem in problems_of(text)] == lines


def test_files_saved_on_other_systems_are_read() -> None:
    """Line ends of Windows and the old Mac, and the mark that Windows puts in front."""
    expected = load_model(GOOD, file="scoring.yaml", lists=LISTS)
    for text in (GOOD.replace("\n", "\r\n"), GOOD.replace("\n", "\r"), "\ufeff" + GOOD):
        assert load_model(text, file="scoring.yaml", lists=LISTS) == expected


def test_lists_to_fetch_are_named_for_the_caller() -> None:
    """Only the caller touches files: it asks which, reads them, and hands over the values."""
    (wanted,) = list_sources(parse(GOOD, file="scoring.yaml")).items()
    assert (wanted[0], wanted[1].files) == ("rivals", ("rivals.txt",))
