"""Lists: what may stand behind a name under `lists:`, and what is refused."""

import pytest

from shared.config_file import parse
from shared.errors import Misconfigured
from shared.scoring.file.lists import BUILTIN_LISTS, list_values, parts_of
from shared.scoring.file.read import list_sources, load_model, read_model
from tests.scoring.small import BASE, rule

IN_MINE = rule("f", "when: {email_domain: {in: mine}}, points: 30", group="who")


def text_with(given: str) -> str:
    return f"{BASE}lists:\n  mine: {given}\nfit:\n{IN_MINE}"


def problem_of(given: str, **fetched: dict[str, str]) -> str:
    with pytest.raises(Misconfigured) as caught:
        load_model(text_with(given), file="m.yaml", **fetched)  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("given", "builtins", "files", "values"),
    [
        ("builtin:free-mail", ["free-mail"], [], []),
        ("lists/own.txt", [], ["lists/own.txt"], []),
        ("file:own", [], ["own"], []),
        ("[GMX.de, Web.de]", [], [], ["gmx.de", "web.de"]),
        ("[builtin:disposable, file:own.txt, extra.example]", ["disposable"], ["own.txt"], ["extra.example"]),
        ("[10115, 01067]", [], [], ["10115", "01067"]),
    ],
)
def test_a_list_is_a_source_or_values_with_sources_among_them(
    given: str, builtins: list[str], files: list[str], values: list[str]
) -> None:
    """Alone a text is a source; among values it needs builtin: or file: in front."""
    fetched = {"mine": frozenset({"fetched"})} if builtins or files else {}
    model_reading = read_model(parse(text_with(given), file="m.yaml"), lists=fetched)
    wanted = list_sources(parse(text_with(given), file="m.yaml"))
    assert model_reading.lists["mine"] == {*values, *(["fetched"] if fetched else [])}
    assert ("mine" in wanted) == bool(builtins or files)
    if wanted:
        assert list(wanted["mine"].builtins) == builtins
        assert list(wanted["mine"].files) == files


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "builtin:freemail",
            'builtin list "freemail". Builtin lists: disposable, free-mail. Did you mean "free-mail"?',
        ),
        ("[a.example, builtin:trash]", 'unknown builtin list "trash". Builtin lists: disposable, free-mail'),
        ("[bultin:free-mail]", '"bultin:free-mail" is read as a value. Did you mean builtin:free-mail?'),
        (
            "[a.example, lists/own.txt]",
            '"lists/own.txt" looks like a path, but stands among values. Write file:l',
        ),
        ("../../etc/passwd", '"../../etc/passwd" may lie outside the folder of the model. Lists lie beside'),
        ("/etc/passwd", '"/etc/passwd" may lie outside the folder of the model.'),
        ("[x, 'file:a/../../b']", '"a/../../b" may lie outside the folder of the model.'),
        ("~/own.txt", '"~/own.txt" may lie outside the folder of the model.'),
        ("C:/own.txt", '"C:/own.txt" may lie outside the folder of the model.'),
        ("'file:'", "the path is empty. Write file: and a path such as lists/own.txt"),
        ("own.txt", "its values were not fetched. Load the model by its file"),
        ("5", "expected text; seen: 5"),
        ("[[a]]", "expected text; seen: ['a']"),
        ("[]", "expected 1 or more entries; seen: []"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(given: str, message: str) -> None:
    """With its line; a model reads nothing outside its folder, and a path is never taken for a value."""
    problem = problem_of(given)
    assert problem.startswith('m.yaml:12: list "mine"'), problem
    assert message in problem


def test_why_a_list_could_not_be_fetched_is_told_with_its_line() -> None:
    """The caller reads files; the sentence it brings is shown where the list is named."""
    assert problem_of("own.txt", trouble={"mine": "it is away. Bring it back"}) == (
        'm.yaml:12: list "mine": it is away. Bring it back'
    )


def test_a_list_file_has_one_value_per_line() -> None:
    """Comments and blanks are no values, and case does not matter."""
    assert list_values("# ours\nRival.example  # the big one\n\nother.example\n") == {
        "rival.example",
        "other.example",
    }


def test_every_builtin_list_can_be_named() -> None:
    """The names that messages offer are the names that are understood."""
    assert [parts_of(f"builtin:{name}").builtins for name in BUILTIN_LISTS] == [
        ("disposable",),
        ("free-mail",),
    ]
