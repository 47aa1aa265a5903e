"""An address or id, however it is spelled → the lead.

In: an e-mail address, a user id of any namespace (`17` or `crm:17`), an anonymous id, or a lead id. Out: a
`LeadId`.
Refuses (`Invalid`) what nobody has, and an id that several people have in different namespaces.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from shared.errors import Invalid
from shared.events import OWN_NAMESPACE
from shared.ids import LeadId
from shared.leads.identifiers import Identifier, IdentityRules, is_address
from shared.leads.identity_settings import other_keys

_OWNERS: Final = """
SELECT i.kind, i.value, coalesce(l.merged_into, l.lead_id) AS lead_id
FROM unnest($1::text[], $2::bytea[]) AS asked (kind, value)
JOIN identities i ON i.kind = asked.kind AND i.value = asked.value
JOIN leads l ON l.lead_id = i.lead_id
WHERE NOT $3 OR i.status <> 'shared'
"""
_LIVING: Final = "SELECT coalesce(merged_into, lead_id) FROM leads WHERE lead_id = $1"
_FINGERPRINT: Final = "SELECT fingerprint FROM identity_keys"
_NAMESPACES: Final = "SELECT namespace FROM identity_namespaces ORDER BY namespace"


async def find(connection: Any, who: str, rules: IdentityRules) -> LeadId:
    """The lead with this address or id; the strongest kind first: an id may look like another kind's.

    Raises Invalid (`no_such_lead`, `several_leads`); Misconfigured if nobody could be found with these keys.
    """
    living = await connection.fetchval(_LIVING, _uuid(who))
    if living is not None:
        return LeadId(living)
    for group in await spellings(connection, who, rules):
        found = await owners(connection, group)
        if len(set(found.values())) > 1:
            names = ", ".join(
                f"{one.namespace}:{who}" for one in sorted(found, key=lambda one: one.namespace)
            )
            raise Invalid("several_leads", f"several people have the id {who}. Say which: {names}")
        if found:
            return next(iter(found.values()))
    if await connection.fetchval(_FINGERPRINT) not in {None, rules.fingerprint}:
        raise other_keys()
    what = "no lead has the address" if "@" in who else "there is no lead"
    raise Invalid(
        "no_such_lead",
        f"{what} {who}. Give an address, a user id or anonymous id as it was sent, or the lead's id; "
        "`leadscore lead find` searches in names and addresses",
    )


async def spellings(connection: Any, who: str, rules: IdentityRules) -> list[list[Identifier]]:
    """What this text may identify: as an address, as a user id of each namespace, as an anonymous id."""
    namespaces = dict.fromkeys([OWN_NAMESPACE, *(row[0] for row in await connection.fetch(_NAMESPACES))])
    users = [rules.user_id(who, namespace) for namespace in namespaces]
    named, _, id_ = who.partition(":")
    if id_ and named in namespaces:
        users.append(rules.user_id(id_, named))
    address = rules.address(who) if is_address(who) else None
    groups = [[address], users, [rules.anonymous_id(who)]]
    return [[one for one in group if one] for group in groups]


async def owners(
    connection: Any, asked: Sequence[Identifier], *, of_objection: bool = False
) -> dict[Identifier, LeadId]:
    """The living lead that each of these points to; those that point to none are left out.

    of_objection:  as an objection finds them: without shared devices, of which every event is nobody's
    """
    by_key = {(one.kind, one.value): one for one in asked}
    kinds, values = [one.kind for one in asked], [one.value for one in asked]
    rows = await connection.fetch(_OWNERS, kinds, values, of_objection)
    return {by_key[row["kind"], row["value"]]: LeadId(row["lead_id"]) for row in rows}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
