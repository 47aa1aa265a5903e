"""What people may write in a YAML file, and what they are told about their mistakes."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared import config_file
from shared.errors import Misconfigured


class Hook(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["hook"]
    url: str
    secret: SecretStr = SecretStr("")
    secrets: list[SecretStr] = []


class Queue(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["queue"]
    topic: str


class Destination(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    to: Annotated[Hook | Queue, Field(discriminator="type")]
    limit: int = Field(default=1, gt=0)


class Routing(BaseModel):
    model_config = ConfigDict(extra="forbid")
    destinations: list[Destination] = []
    labels: dict[str, int] = {}


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(Misconfigured) as caught:
        config_file.validate(
            config_file.parse(text, file="routing.yaml"), Routing, {"destinations": "destination"}
        )
    return caught.value.problems


GOOD = """\
destinations:
  - id: crm
    to: {type: hook, url: "https://crm.example"}
labels:
  NO: 1
"""


def test_a_good_file_becomes_the_model() -> None:
    """What fits comes out as the pydantic object."""
    routing = config_file.validate(config_file.parse(GOOD, file="routing.yaml"), Routing)
    assert routing.destinations[0].id == "crm"
    assert routing.labels == {"NO": 1}


def test_every_value_knows_its_line() -> None:
    """Lines are counted from 1 and fall back to the nearest thing around."""
    document = config_file.parse(GOOD, file="routing.yaml")
    assert document.line(("destinations", 0, "to", "url")) == 3
    assert document.line(("labels", "NO")) == 5
    assert document.line(("labels", "absent")) == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("0123", "0123"),
        ("2026-01-31", "2026-01-31"),
        ("1:30", "1:30"),
        (".nan", ".nan"),
        ("true", True),
        ("~", None),
        ("12", 12),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ('"12"', "12"),
        ("9" * 30, "9" * 30),
    ],
)
def test_scalars_are_read_as_they_look(text: str, value: object) -> None:
    """Country codes, zip codes and dates stay text; numbers and true are what they seem."""
    seen = config_file.parse(f"key: {text}", file="f.yaml").data["key"]
    assert seen == value
    assert type(seen) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", 'f.yaml:2: key "a" is here twice, first in line 1. Remove one'),
        ("a: &x 1\nb: *x\n", 'f.yaml:2: alias "*x". Write the value out: aliases are not read'),
        ("a: !!python/object:os.system 1\n", 'f.yaml:1: tag "!!python/object:os.system"'),
        ("a: !secret x\n", 'f.yaml:1: tag "!secret". Remove it'),
        ("a: [1\n", "f.yaml:2: not YAML: "),
        ("a:\n\t- b\n", "f.yaml:2: not YAML: "),
        ("[" * 40 + "]" * 40, "f.yaml:1: nested deeper than 32 levels"),
        ("a: 1\n--- \nb: 2\n", "f.yaml:2: not YAML: "),
        ("? [a]\n: 1\n", "f.yaml:1: a key is a list or a mapping"),
        ("a: \x00", "f.yaml:1: not YAML: "),
        ("#" * 1_000_001, "f.yaml:1: 1,000,001 bytes. At most 1,000,000; split off lists"),
    ],
)
def test_structural_mistakes_are_refused_with_their_line(text: str, message: str) -> None:
    """Bombs, tags, duplicate keys and broken syntax never become data."""
    with pytest.raises(Misconfigured) as caught:
        config_file.parse(text, file="f.yaml")
    assert any(problem.startswith(message) for problem in caught.value.problems), caught.value.problems


def test_an_alias_bomb_is_refused_at_once() -> None:
    """Billion laughs cost nothing, because aliases are refused before anything is built."""
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    with pytest.raises(Misconfigured, match='anchor "&a0"'):
        config_file.parse(bomb, file="f.yaml")


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    """One run tells everything, sorted by line."""
    problems = problems_of("labels: {a: x}\ndestinations:\n  - id: crm\n    limit: 0\nlables: {}\n")
    assert problems == (
        'routing.yaml:1: labels, a: expected a whole number; seen: "x"',
        'routing.yaml:3: destination "crm": "to" is missing',
        'routing.yaml:4: destination "crm", limit: must be greater than 0; seen: 0',
        'routing.yaml:5: unknown key "lables". Keys: destinations, labels. Did you mean "labels"?',
    )


def test_the_keys_offered_are_those_of_the_right_kind() -> None:
    """In a union the constant field tells which keys would have worked."""
    assert problems_of("destinations:\n- id: q\n  to:\n    type: queue\n    topic: t\n    topik: x\n") == (
        'routing.yaml:6: destination "q", to: unknown key "topik". Keys: topic, type. Did you mean "topic"?',
    )


def test_a_secret_is_not_repeated() -> None:
    """A wrong value in a secret's place is described, not shown."""
    for wrong in ("secret: [hunter2]", "secrets: hunter2"):
        (problem,) = problems_of(f"destinations:\n- {{id: x, to: {{type: hook, url: u, {wrong}}}}}\n")
        assert "hunter2" not in problem
        assert "a secret, not shown" in problem


def test_an_empty_file_is_an_empty_document() -> None:
    """Whether that is enough is the model's business."""
    assert config_file.validate(config_file.parse("", file="f.yaml"), Routing) == Routing()


def test_the_wrong_shape_at_the_root_is_said() -> None:
    """A list where keys belong is one clear sentence."""
    assert problems_of("- a\n") == ("routing.yaml:1: expected keys and values; seen: ['a']",)
