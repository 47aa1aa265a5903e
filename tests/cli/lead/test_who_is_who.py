"""`leadscore lead find|conflicts|merge|unmerge|split-device|release`, on a real database."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.scorer.count import BatchCounter
from services.scorer.models import first_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.models.model_source import read as read_model
from shared import database as postgres
from shared.errors import Invalid
from shared.events import Event
from shared.ids import SystemIds
from tests.cli import commands
from tests.scorer.identity.conftest import REFERENCE
from tests.scorer.identity.people import RULES, Town, seen

Told = Callable[..., None]
GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "identity.md"


@pytest.fixture
def told(database: str, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Counts events, as one batch, in the database that the commands use."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("LEADSCORE_IDENTITY_KEY", RULES.key.decode())
    model = read_model(REFERENCE).model

    async def count(events: tuple[Event, ...]) -> None:
        engine = postgres.engine(database, application="test", pool_size=2)
        await first_model.ensure_first_model(engine, REFERENCE)
        counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds())
        await Town(engine=engine, counter=counter, model=model).count(*events)
        await engine.dispose()

    return lambda *events: asyncio.run(count(events))


def run(*argv: str) -> str:
    return commands.run(*argv, columns=240)


def shown(who: str) -> dict[str, Any]:
    return dict(json.loads(run("lead", "show", who, "--json")))


def test_find_looks_into_names_companies_addresses_and_ids(told: Told) -> None:
    """A part is enough, in any case; who has it nowhere is not listed."""
    ada = {"name": "Ada Lovelace", "company": "Engines"}
    told(
        seen(1, user_id="user-1", email="ada@firma.example", traits=ada),
        seen(2, source="crm", kind="crm", user_id="crm-815", email="ada@firma.example"),
        seen(3, user_id="user-2", email="bo@firma.example", traits={"name": "Bo"}),
    )
    lead = shown("user-1")["lead"]
    for part in ("lovelace", "ENGINES", "ada@", "815"):
        found = json.loads(run("lead", "find", part, "--json"))["leads"]
        assert [one["lead"] for one in found] == [lead]
    assert "Ada Lovelace" in run("lead", "find", "ada")
    assert "no lead has" in run("lead", "find", "nothing like it")


def test_find_says_what_belongs_to_nobody(told: Told) -> None:
    """Events of a placeholder are kept, with the reason."""
    told(seen(1, user_id="undefined", properties={"form": "walk-in"}))
    assert "1 events with this text belong to nobody" in run("lead", "find", "walk-in")


def test_show_has_every_systems_id_and_takes_each(told: Told) -> None:
    """The product's and the CRM's, with and without the namespace."""
    told(
        seen(1, user_id="17", email="ada@firma.example"),
        seen(2, source="crm", kind="crm", user_id="crm-815", email="ada@firma.example"),
    )
    assert shown("crm:crm-815")["person"]["ids"] == {"product": "17", "crm": "crm-815"}
    assert shown("17")["lead"] == shown("crm-815")["lead"] == shown("Ada@Firma.example")["lead"]
    assert "Id in crm" in run("lead", "show", "ada@firma.example")


def test_an_id_of_two_people_asks_which(told: Told) -> None:
    """The product's 17 and the CRM's 17 are two; the message names both."""
    told(seen(1, user_id="17"), seen(2, source="crm", kind="crm", user_id="17"))
    with pytest.raises(Invalid, match=r"crm:17, product:17"):
        run("lead", "show", "17")
    assert shown("crm:17")["lead"] != shown("product:17")["lead"]


def test_conflicts_are_listed_with_the_command_that_changes_them(told: Told) -> None:
    """Both sides, the event, why, and the command; which then does what it says."""
    told(
        seen(1, user_id="user-5", email="fam@firma.example"),
        seen(2, user_id="user-6", email="fam@firma.example"),
    )
    (found,) = json.loads(run("lead", "conflicts", "--json"))["conflicts"]
    assert (found["why"], found["named"]) == ("two_user_ids", ["user-6", "fam@firma.example"])
    command = f"leadscore lead merge {found['one']} {found['other']}"
    assert command in run("lead", "conflicts").replace("\n", " ")
    assert command in run("lead", "show", "user-5").replace("\n", "")
    assert "are one lead" in run(*command.split()[1:])
    assert shown("user-5")["lead"] == shown("user-6")["lead"]
    assert "no conflicts" in run("lead", "conflicts", "user-5")


def test_unmerge_by_address_and_by_the_merged_leads_id(told: Told) -> None:
    """The last one merged in is taken out; a merged lead may be named itself."""
    told(seen(1, user_id="u1", email="x@x.example"), seen(2, source="crm", kind="crm", user_id="c1"))
    contact = shown("c1")["lead"]
    told(seen(3, source="crm", kind="crm", user_id="c1", email="x@x.example"))
    assert contact in run("lead", "unmerge", "x@x.example")
    assert shown("c1")["lead"] == contact != shown("u1")["lead"]
    run("lead", "merge", "u1", "c1")
    assert contact in run("lead", "unmerge", contact)
    assert shown("c1")["lead"] == contact


def test_a_device_is_split_and_released(told: Told) -> None:
    """By its anonymous id; what that means for events of the past is said."""
    told(seen(1, anonymous_id="tablet-9"), seen(2, anonymous_id="tablet-9", email="a@a.example"))
    assert "1 anonymous events of the past belong to nobody" in run("lead", "split-device", "tablet-9")
    assert "tablet-9" not in run("lead", "conflicts")
    (aside,) = json.loads(run("lead", "conflicts", "--json"))["set_aside"]
    assert "with 1 events" in run("lead", "release", aside["identifier"])
    with pytest.raises(Invalid, match="neither suspended nor"):
        run("lead", "release", "tablet-9")


def test_unknown_devices_and_placeholders_are_refused(told: Told) -> None:
    """With a sentence that says what would work."""
    told(seen(1, user_id="u1"))
    with pytest.raises(Invalid, match="no event came with this anonymous id"):
        run("lead", "split-device", "never-seen")
    with pytest.raises(Invalid, match="placeholder"):
        run("lead", "split-device", "n/a")


def test_every_command_of_the_guide_runs(told: Told, database: str) -> None:
    """In the order of the guide's table, for people who have such names."""
    told(
        seen(1, user_id="user-1", email="ada@firma.example"),
        seen(2, user_id="user-7"),
        seen(3, anonymous_id="the-anonymous-id"),
        seen(4, user_id="the-identifier"),
    )
    asyncio.run(suspend(database, "the-identifier"))
    commands = re.findall(r"^\|.*\| `leadscore (lead [^`]+)`", GUIDE.read_text(), re.MULTILINE)
    assert len(commands) == 7
    for command in commands:
        run(*command.split())


async def suspend(database: str, user_id: str) -> None:
    """Have the scorer not believe a user id any more."""
    one = RULES.user_id(user_id)
    assert one is not None
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE identities SET status = 'suspended' WHERE value = $1", one.value)
    await connection.close()
