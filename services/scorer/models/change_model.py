"""What is done with a version of the model: draft, shadow, publish, revert.

In: a connection inside a transaction, a model with what it was made from, who wants it. Out: the version, and
the walk through all leads that follows.
Refuses (`Invalid`) what would change nothing, or has nothing to go back to. Nothing changes before COMMIT.
"""

from dataclasses import dataclass
from typing import Any

from services.scorer.store import models, rescores, shadows
from services.scorer.store.models import Author
from shared.errors import Invalid
from shared.leads.store import models as stored_models
from shared.leads.store.models import Lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What was changed: the version, and the rescore that follows from it."""

    version: int
    rescore_id: int


async def draft(connection: Any, content: tuple[str, str, Lists], author: Author) -> int:
    """Store a model as a draft and return its version; what is stored already keeps version and state.

    content:  name, text and lists
    """
    number, is_new = await models.draft(connection, *content)
    if is_new:
        await models.log(connection, number, "drafted", author)
    return number


async def publish(connection: Any, number: int, author: Author, *, silent: bool) -> Changed:
    """Make this the version that scores, and have every lead scored under it.

        silent:  moves that this causes are recorded, and delivered to nobody

    Raises Invalid if it is active already.
    """
    return await _activate(connection, number, author, "published", silent=silent)


async def revert(connection: Any, author: Author, *, silent: bool) -> Changed:
    """Make the version active again that was before the present one.

    Raises Invalid if there is none.
    """
    present = await stored_models.active(connection)
    before = await stored_models.active_before(connection, present.version) if present else None
    if before is None:
        raise Invalid("nothing_to_revert", "no other version was active before. Publish one instead")
    return await _activate(connection, before, author, "reverted", silent=silent)


async def shadow(connection: Any, number: int, author: Author) -> Changed:
    """Have this version score beside the active one; a version that did so until now is a draft again.

    Raises Invalid if it is the active one, or in the shadow already.
    """
    await models.hold(connection)
    state = await stored_models.state_of(connection, number)
    if state in {"active", "shadow"}:
        raise Invalid("already_there", f"version {number} is {state} already. Nothing was changed")
    await shadows.clear(connection)
    await models.enter(connection, number, "shadow")
    await models.log(connection, number, "shadowed", author)
    return Changed(version=number, rescore_id=await rescores.begin(connection, number, "shadow"))


async def end_shadow(connection: Any, author: Author) -> int:
    """Stop scoring in the shadow; the version is a draft again.

    Raises Invalid if nothing is in the shadow.
    """
    await models.hold(connection)
    current = await models.current(connection)
    if current is None or current.shadow is None:
        raise Invalid(
            "no_shadow", "no version is in the shadow. `leadscore model shadow FILE` puts one there"
        )
    await models.enter(connection, current.shadow, "draft")
    await models.log(connection, current.shadow, "unshadowed", author)
    await _leave_the_shadow(connection)
    return current.shadow


async def _activate(
    connection: Any, number: int, author: Author, action: stored_models.Action, *, silent: bool
) -> Changed:
    await models.hold(connection)
    state = await stored_models.state_of(connection, number)
    if state == "active":
        raise Invalid("already_active", f"version {number} is active already. Nothing was changed")
    await models.enter(connection, number, "active", silent=silent)
    await models.log(connection, number, action, author, silent=silent)
    if state == "shadow":
        await _leave_the_shadow(connection)
    return Changed(version=number, rescore_id=await rescores.begin(connection, number, "active"))


async def _leave_the_shadow(connection: Any) -> None:
    """Nothing is in the shadow any more: forget what it knew, and walk no further for it."""
    await rescores.end(connection, "shadow")
    await shadows.clear(connection)
