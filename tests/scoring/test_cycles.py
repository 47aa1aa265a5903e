"""Stages that never rest: cycles that score lines and time alone would send leads round in."""

from pathlib import Path

import pytest

from services.scorer.models import model_source
from shared.config_file import parse
from shared.deployed import shipped
from shared.errors import Misconfigured
from shared.scoring.analysis import cycles
from shared.scoring.engine import transitions
from shared.scoring.file.read import load_model, read_model
from shared.scoring.lint.lint import lint
from tests.scoring.small import BASE, rule, stage

RULES = "engagement:\n" + rule("a", "event: a, points: 40, half_life: 9d")
RULES += "fit:\n" + rule("f", "when: {a: 1}, points: 30", group="who") + "stages:\n"
ADVICE = "Let one of these moves need an event, or lines that exclude each other"


def text_of(**given: str) -> str:
    """The base with these stages, the first of them in line 16."""
    return BASE + RULES + "".join(stage(name, rest) for name, rest in given.items())


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(Misconfigured) as caught:
        load_model(text, file="m.yaml")
    return caught.value.problems


ENDLESS = {
    "two time limits": (
        {
            "mql": "enter: {event: x}, limit: {after: 9d, to: recycled}",
            "recycled": "limit: {after: 9d, to: mql}",
        },
        ':16: stage "mql": cycle: mql -> recycled (line 16) -> mql (line 17), for ever, by time alone. ',
    ),
    "three time limits": (
        {
            "mql": "enter: {event: x}, limit: {after: 9d, to: sql}",
            "sql": "limit: {after: 9d, to: recycled}",
            "recycled": "limit: {after: 9d, to: mql}",
        },
        "cycle: mql -> sql (line 16) -> recycled (line 17) -> mql (line 18), for ever, by time alone. ",
    ),
    "a time limit and a lower line": (
        {
            "mql": "enter: {event: x}, limit: {after: 9d, to: recycled}",
            "recycled": "leave: {below: {score: 30}, to: mql}",
        },
        "cycle: mql -> recycled (line 16) -> mql (line 17), for ever, for leads with score 0. ",
    ),
    "two lower lines that hold together": (
        {
            "mql": "enter: {event: x}, leave: {below: {score: 30}, to: recycled}",
            "recycled": "leave: {below: {fit: 20}, to: mql}",
        },
        "cycle: mql -> recycled (line 16) -> mql (line 17), for ever, for leads with score 0, fit 0. ",
    ),
    "two ways up that hold together": (
        {
            "mql": "enter: {from: pql, at_least: {score: 40}}",
            "pql": "enter: {from: [lead, mql], at_least: {engagement: 20}}",
        },
        "cycle: pql -> mql (line 16) -> pql (line 17), for ever, for leads with",
    ),
    "two grades that hold together": (
        {"mql": "enter: {from: pql, grade: [A1, B1]}", "pql": "enter: {from: [lead, mql], grade: A1}"},
        "cycle: pql -> mql (line 16) -> pql (line 17), for ever, for leads with",
    ),
    "two profiles that hold together": (
        {
            "mql": "enter: {from: pql, profile: {city: ulm}}",
            "pql": "enter: {from: [lead, mql], profile: {size: {gte: 5}}}",
        },
        "cycle: pql -> mql (line 16) -> pql (line 17), for ever, by time alone. ",
    ),
}


@pytest.mark.parametrize(("given", "message"), ENDLESS.values(), ids=ENDLESS.keys())
def test_a_circle_without_an_event_is_a_mistake(given: dict[str, str], message: str) -> None:
    """Told once, with every line in it, and with points at which somebody would go round."""
    (problem,) = problems_of(text_of(**given))
    assert message in problem
    assert problem.endswith(ADVICE)


def test_a_circle_is_found_in_a_model_of_usual_size(tmp_path: Path) -> None:
    """The points of the model that ships are too many to try all of them."""
    text = shipped(Path("deploy/config/scoring.yaml")).read_text()
    assert text.count("from: [lead, mql]") == 1
    (tmp_path / "scoring.yaml").write_text(text.replace("from: [lead, mql]", "from: [lead, mql, sql]"))
    with pytest.raises(Misconfigured) as caught:
        model_source.read(tmp_path / "scoring.yaml")
    assert any("cycle: " in problem and "pql" in problem for problem in caught.value.problems)


RESTING = {
    "lower lines that exclude each other": {
        "mql": "enter: {event: x}, leave: {below: {score: 30}, to: recycled}",
        "recycled": "leave: {at_least: {score: 30}, to: mql}",
    },
    "ways up that exclude each other": {
        "mql": "enter: {from: pql, below: {engagement: 20}}",
        "pql": "enter: {from: [lead, mql], at_least: {engagement: 20}}",
    },
    "points that nobody has": {
        "mql": "enter: {from: pql, at_least: {fit: 31}}",
        "pql": "enter: {from: [lead, mql], at_least: {fit: 10}}",
    },
    "scores that these dimensions cannot make": {
        "mql": "enter: {from: pql, below: {fit: 1, engagement: 1}}",
        "pql": "enter: {from: [lead, mql], at_least: {score: 10}}",
    },
    "a shorter wait that leads away": {
        "mql": "enter: {event: x}, limit: {after: 9d, to: recycled}",
        "recycled": "limit: {after: 9d, to: mql}",
        "sal": "enter: {from: recycled, at_least: {fit: 0}, after: 1d}",
    },
    "an event in between": {
        "mql": "enter: {event: x}, limit: {after: 9d, to: recycled}",
        "recycled": "limit: {after: 9d, to: sal}",
        "sal": "enter: {event: lead.accepted}",
    },
    "up and down with hysteresis": {
        "mql": "enter: {at_least: {score: 40}}, leave: {below: {score: 20}, to: lead}",
    },
    "down lines that forbid the way up": {
        "mql": "enter: {at_least: {score: 40}}, leave: {below: {score: 50}, to: lead}",
    },
    "profiles that exclude each other": {
        "mql": "enter: {from: pql, profile: {city: ulm}}",
        "pql": "enter: {from: [lead, mql], profile: {city: {not_eq: ulm}}}",
    },
    "a way back for as long as points last": {
        "mql": "enter: [{at_least: {score: 40}}, {from: recycled, at_least: {score: 40}, after: 9d}], "
        "leave: {below: {score: 20}, to: lead}, limit: {after: 9d, to: recycled}",
        "recycled": "enter: {event: lead.rejected}",
    },
}


@pytest.mark.parametrize("given", RESTING.values(), ids=RESTING.keys())
def test_what_comes_to_rest_is_left_alone(given: dict[str, str]) -> None:
    """Lines that never hold together, and points that age, end every walk."""
    reading = read_model(parse(text_of(**given), file="m.yaml"))
    assert [warning for warning in lint(reading) if "cycle" in warning] == []


def test_a_way_back_that_points_hold_open_for_ever_is_only_a_warning() -> None:
    """Asking a good lead again each quarter may be meant."""
    text = text_of(
        mql="enter: [{at_least: {score: 40}}, {from: recycled, at_least: {fit: 20}, after: 9d}], "
        "leave: {below: {score: 20}, to: lead}, limit: {after: 9d, to: recycled}",
        recycled="enter: {event: lead.rejected}",
    )
    found = [each for each in lint(read_model(parse(text, file="m.yaml"))) if "cycle" in each]
    assert found == [
        (
            'm.yaml:16: stage "mql": cycle: mql -> recycled (line 16) -> mql (line 16), for ever, '
            f"for leads with fit 20. {ADVICE}"
        )
    ]


def test_circles_are_told_beside_mistakes_in_rules() -> None:
    """They do not wait until a rule elsewhere is mended."""
    text = text_of(
        mql="enter: {event: x}, limit: {after: 9d, to: recycled}", recycled="limit: {after: 9d, to: mql}"
    )
    problems = problems_of(text.replace("points: 40", "points: many"))
    assert [problem.split(":")[1] for problem in problems] == ["12", "16"]


def test_the_work_is_bounded_whatever_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight stages with thirty ways into each from everywhere: millions of cycles, thousands of tries."""
    names = ("mql", "pql", "service_qualified", "sal", "sql", "opportunity", "recycled", "disqualified")
    lines = {
        name: ", ".join(
            f"{{from: {[*others]}, at_least: {{score: {n}, fit: {n}, engagement: {n + at}}}}}".replace(
                "'", ""
            )
            for n in range(1, 30)
        )
        for at, name in enumerate(names)
        if (others := [each for each in names if each != name])
    }
    text = text_of(**{name: f"enter: [{several}]" for name, several in lines.items()})
    tried = []

    def counting(*arguments: object) -> bool | None:
        tried.append(arguments)
        return transitions.holds(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cycles, "holds", counting)
    assert problems_of(text)
    assert 10_000 < len(tried) < 100_000
