"""The guide to accounts is true: its sections load, and its tables are what they make of people."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.scorer.models import model_source
from shared.config_file import parse
from shared.ids import LeadId
from shared.scoring.definition.accounts import Accounts
from shared.scoring.engine.accounts import AccountNumbers, Member, Place, look
from shared.scoring.file.read import Reading, read_model
from shared.scoring.file.shape import AccountsShape, AccountStageShape
from shared.scoring.lint.lint import lint
from tests.scoring.small import BASE, NOW, rule

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "guides" / "accounts.md").read_text()
SECTION = r"^```yaml\n(.*?)^```$"
TABLE = r"^\| stood at [^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)"
PART = re.compile(f"{SECTION}|{TABLE}", re.MULTILINE | re.DOTALL)
RULES = (
    "engagement:\n"
    + rule("a", "event: a, points: 70, half_life: 9d, limit: {times: 1, per: ever}")
    + "fit:\n"
    + rule("f", "when: {a: 1}, points: 30", group="who")
)
LISTS = "lists:\n  free-mail: [gmail.com]\n"


def reading(section: str) -> Reading:
    lists = "" if "lists:" in section else LISTS
    return read_model(parse(BASE + RULES + lists + section, file="accounts.md"))


def rows() -> Iterator[tuple[Accounts, list[str]]]:
    """Each row of a table, with the section that stands above it."""
    accounts = None
    for found in PART.finditer(TEXT):
        if found[1]:
            accounts = reading(found[1]).model.accounts
            continue
        assert accounts
        for line in found[2].splitlines():
            yield accounts, [cell.strip() for cell in line.strip("|").split("|")]


CASES = [pytest.param(accounts, cells, id=" | ".join(cells)) for accounts, cells in rows()]


def person(number: int, told: str) -> Member:
    """A score, in brackets if the person did nothing for long."""
    idle = timedelta(days=40 if told.startswith("(") else 1)
    return Member(
        lead_id=LeadId(UUID(int=number)), score=int(told.strip("()")), stage="lead", last_act_at=NOW - idle
    )


@pytest.mark.parametrize(("accounts", "cells"), CASES)
def test_every_row_of_the_tables_holds(accounts: Accounts, cells: list[str]) -> None:
    """Under the section above it."""
    stood_at, people, score, active, stands_at = cells
    members = [person(number, told) for number, told in enumerate(people.split())]
    seen = look(accounts, members, Place(stage=stood_at, since=NOW), NOW, "people")
    assert seen.numbers == AccountNumbers(score=int(score), active_people=int(active))
    assert seen.place.stage == stands_at


def test_the_sections_in_the_guide_raise_no_doubts() -> None:
    """A marketer who copies one begins without a warning."""
    sections = [found[1] for found in PART.finditer(TEXT) if found[1]]
    assert [lint(reading(section)) for section in sections] == [[], []]
    assert len(CASES) > 15


def test_every_key_is_told() -> None:
    """What the section may say stands in the guide's table."""
    table = "".join(line for line in TEXT.splitlines() if line.startswith("|"))
    keys = {*AccountsShape.model_fields, *AccountStageShape.model_fields} - {"label"}
    assert {key for key in keys if f"`{key}`" not in table} == set()


def test_the_section_of_the_reference_model_is_good_when_it_is_switched_on() -> None:
    """Without the # in front of it, scoring.yaml is a model without doubts that has accounts."""
    file = ROOT / "deploy" / "config" / "scoring.yaml"
    before, _, section = file.read_text().partition("# accounts:\n")
    text = before + "accounts:\n" + re.sub("^# ", "", section, flags=re.MULTILINE)
    switched_on = read_model(parse(text, file="scoring.yaml"), lists=model_source.gather(file).lists)
    assert lint(switched_on) == []
    accounts = switched_on.model.accounts
    assert accounts
    assert {"gmail.com", "mailinator.com"} <= accounts.private_domains
    assert [stage.name for stage in accounts.stages] == ["engaged", "buying-group"]
