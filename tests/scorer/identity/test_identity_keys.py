"""Identifiers under a new key: every place where one is stored, and which keys are refused."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scorer.identify.facts import Conflict, Held
from services.scorer.store import conflicts, decisions, domain_clicks, identities, identity_keys, merges
from shared import database as postgres
from shared.database import transaction
from shared.errors import Invalid, Misconfigured
from shared.ids import EventId, LeadId
from shared.leads.find import find
from shared.leads.identifiers import Identifier, IdentityRules, wrapped
from shared.leads.identity_settings import IdentitySettings
from shared.settings import load

pytestmark = pytest.mark.asyncio

OLD = IdentityRules(key=b"the first key of all")
NEW = replace(OLD, later=(b"the second key of all",))
NEWEST = replace(OLD, later=(b"the second key of all", b"the third key of all"))
LEAD, OTHER = LeadId(uuid4()), LeadId(uuid4())
AT = datetime(2026, 1, 1, tzinfo=UTC)
_MERGE = """
INSERT INTO lead_merges (winner, loser, cause_event, loser_row, moved_identities)
VALUES ($1, $2, gen_random_uuid(), '{}', $3::text::jsonb)
"""


@pytest_asyncio.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    made = postgres.engine(database, application="test", pool_size=1)
    await identity_keys.ensure(made, OLD)
    yield made
    await made.dispose()


def named(rules: IdentityRules) -> list[Identifier]:
    """A few identifiers of one person and of another."""
    found = (
        *(rules.address(f"a{n}@example.com") for n in range(6)),
        *(rules.user_id("u1"), rules.user_id("7", "crm"), rules.anonymous_id("d1")),
    )
    return [one for one in found if one]


def as_json(one: Identifier) -> dict[str, str]:
    """As a merge keeps it."""
    return {"kind": one.kind, "value": one.value.hex(), "namespace": one.namespace}


async def test_every_stored_identifier_is_found_under_the_new_key(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Owners, conflicts (sides in order), decisions, clicks, merges: as before, by the new hashes only."""
    monkeypatch.setattr(identity_keys, "PORTION", 2)
    old = named(OLD)
    pairs = [(min(pair), max(pair)) for pair in pairwise(old[:6])]
    click = domain_clicks.Click(
        event_id=EventId(uuid4()), domain=b"d" * 16, recipient=old[0].value, lead=LEAD, at=AT
    )
    async with transaction(engine) as connection:
        await identities.attach(connection, {one: Held(LEAD, AT, namespace=one.namespace) for one in old})
        noted = [Conflict(one=a, other=b, reason="alias", event=EventId(uuid4()), at=AT) for a, b in pairs]
        await conflicts.note(connection, noted)
        await decisions.make(connection, "apart", old[:3], old[3:], "ada")
        await domain_clicks.note(connection, [click], 3)
        await connection.execute(_MERGE, LEAD, OTHER, json.dumps([as_json(one) for one in old[:3]]))
    for rules in (NEW, NEWEST):
        async with transaction(engine) as connection:
            assert await identity_keys.rotate(connection, rules) == len(old)
    fresh = named(NEWEST)
    async with transaction(engine) as connection:
        assert (await identities.read(connection, fresh)).keys() == set(fresh)
        assert await identities.read(connection, old) == {}
        assert await conflicts.partners(connection, [fresh[0]]) == {fresh[0], fresh[1]}
        rows = await connection.fetch("SELECT * FROM identity_conflicts")
        sides = [
            ((row["one_kind"], row["one_value"]), (row["other_kind"], row["other_value"])) for row in rows
        ]
        assert len(sides) == 5
        assert all(one < other for one, other in sides)
        [decision] = await decisions.about(connection, [fresh[4]])
        assert (decision.one, decision.other) == (frozenset(fresh[:3]), frozenset(fresh[3:]))
        clicked = await connection.fetchrow("SELECT recipient, domain FROM domain_clicks")
        assert clicked["recipient"] == fresh[0].value
        assert clicked["domain"] == wrapped(b"d" * 16, NEWEST.later)
        assert await merges.brought(connection, [OTHER]) == {OTHER: frozenset(fresh[:3])}


async def test_keys_that_do_not_follow_are_refused_and_the_same_ones_change_nothing(
    engine: AsyncEngine,
) -> None:
    """Another first key, no key before: nothing is rewritten under any of them."""
    async with transaction(engine) as connection:
        await identities.attach(connection, {named(OLD)[0]: Held(LEAD, AT)})
    for rules in (replace(NEW, key=b"some other first key"), IdentityRules(key=b"0" * 16)):
        with pytest.raises(Invalid, match="not those with which this database was written"):
            async with transaction(engine) as connection:
                await identity_keys.rotate(connection, rules)
    async with transaction(engine) as connection:
        assert await identity_keys.rotate(connection, OLD) == 0
        assert len(await identities.read(connection, named(OLD))) == 1


async def test_a_dump_of_before_two_changes_is_brought_through_both(engine: AsyncEngine) -> None:
    """With the settings of today: whoever restores has no other ones."""
    async with transaction(engine) as connection:
        await identities.attach(connection, {one: Held(LEAD, AT) for one in named(OLD)[:3]})
        assert await identity_keys.rotate(connection, NEWEST) == 3
        assert await identities.read(connection, named(NEWEST)[:3]) != {}
        assert await identity_keys.rotate(connection, NEWEST) == 0


async def test_an_older_key_is_no_new_one(engine: AsyncEngine) -> None:
    """The new key was forgotten: the leaked one again would be told as a success."""
    for used, again in ((OLD, OLD.key), (NEW, OLD.key), (NEW, NEW.later[0])):
        async with transaction(engine) as connection:
            await connection.execute("UPDATE identity_keys SET fingerprint = $1", used.fingerprint)
            with pytest.raises(Invalid, match="one of the keys in LEADSCORE_IDENTITY_KEYS_BEFORE"):
                await identity_keys.rotate(connection, replace(used, later=(*used.later, again)))


async def test_nobody_is_said_to_be_missing_who_is_under_other_keys(engine: AsyncEngine) -> None:
    """A look with the older keys finds nobody: it says why, so that no objection is lost."""
    async with transaction(engine) as connection:
        await identity_keys.rotate(connection, NEW)
        with pytest.raises(Misconfigured, match="not those with which this database was written"):
            await find(connection, "a1@example.com", OLD)
        with pytest.raises(Invalid, match="no lead has the address"):
            await find(connection, "a1@example.com", NEW)


async def test_the_settings_say_the_keys_newest_first() -> None:
    """One key is as it always was; more are hashed over it in the order in which they came."""
    first = "the first key of all"
    assert load(IdentitySettings, {"LEADSCORE_IDENTITY_KEY": first}).rules() == OLD
    both = {
        "LEADSCORE_IDENTITY_KEY": "the third key of all",
        "LEADSCORE_IDENTITY_KEYS_BEFORE": f"the second key of all, {first}",
    }
    assert load(IdentitySettings, both).rules() == NEWEST
