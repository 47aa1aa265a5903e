"""Strong evidence: a user id or an e-mail address names a person (no I/O).

In: the picture so far, an event's strong identifiers. Out: the person's lead; leads that the event proves
to be one person are merged.
Refuses to merge where one lead would have two user ids of a namespace or too many addresses, or where
somebody decided that they are two people: that is kept as a conflict, and the strongest identifier gets the
event.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from services.scorer.identify.evidence import Evidence
from services.scorer.identify.facts import Recent, conflict
from services.scorer.identify.picture import Picture, alone
from shared.ids import LeadId
from shared.leads.identifiers import Identifier

_HOUR: Final = timedelta(hours=1)


def person(picture: Picture, strong: Sequence[Identifier], seen: Evidence) -> LeadId:
    """The lead of the person whom these identifiers name, all of them joined as far as that is allowed.

    strong: of the event, the strongest first, none suspended
    """
    lead = _owner_of_strongest(picture, strong, seen)
    lead = _join_previous(picture, lead, strong[0], seen)
    for one in strong[1:]:
        lead = _join(picture, lead, (strong[0], one), seen)
    return lead


def watch(picture: Picture, first: Identifier, seen: Evidence) -> None:
    """Count what an identifier has tied together within an hour; one that ties a crowd is suspended.

    What it tied is taken apart again by the regroup: it is no evidence any more. While its person objects it
    stays: the objection would be taken apart from the person as well, and 101 posts of a form do that.
    """
    held = picture.owners[first]
    recent = held.recent
    # The hour is one of what happened: imported history begins its own, after live events too.
    if recent is None or abs(seen.at - recent.since) >= _HOUR:
        recent = Recent(since=seen.at)
    recent = Recent(since=recent.since, ties=recent.ties + picture.ties)
    crowd = recent.ties > picture.limits.ties_per_hour and not picture.objects(picture.owner(first))
    if crowd:
        picture.suspended.append(first)
        picture.review.add(picture.owner(first))
    picture.change(first, held._replace(status="suspended" if crowd else held.status, recent=recent))


def _owner_of_strongest(picture: Picture, strong: Sequence[Identifier], seen: Evidence) -> LeadId:
    """The lead of the strongest identifier; if it is new, of one of the others; else somebody new."""
    first = strong[0]
    if first in picture.owners:
        return _confirmed(picture, first)
    if older := _older_name(picture, seen):
        # Two names of one user: its namespace is taken by itself. The history tells whether that is right.
        picture.review.add(picture.owner(older))
        return picture.give(first, picture.owner(older), seen)
    for other in strong[1:]:
        if other in picture.owners and _take(picture, picture.owner(other), (first, other), seen):
            return picture.owner(other)
    for device in picture.usable(seen.weak):
        if device in picture.owners and not picture.facts[picture.owner(device)].known:
            picture.change(device, picture.owners[device]._replace(since=seen.at))
            return picture.give(first, picture.owner(device), seen)
    return picture.give(first, picture.create(seen), seen)


def _confirmed(picture: Picture, first: Identifier) -> LeadId:
    """The owner. A user id that only alias calls had named proves to be one: it is looked at anew."""
    held = picture.owners[first]
    if held.status == "reserved":
        picture.change(first, held._replace(status="in_use"))
        picture.review.add(picture.owner(first))
    return picture.owner(first)


def _older_name(picture: Picture, seen: Evidence) -> Identifier | None:
    """What the user was called: as it was hashed before namespaces, or before an alias call."""
    former, previous = seen.former, seen.previous
    if former and former in picture.owners and picture.owners[former].namespace is None:
        return former
    return previous if picture.has(previous, "in_use") else None


def _join_previous(picture: Picture, lead: LeadId, user: Identifier, seen: Evidence) -> LeadId:
    """Join the user id that an alias call replaces, if it is known as a user's and not only as a device's."""
    previous = seen.previous
    if previous is None or user.kind != "user_id":
        return lead
    if previous not in picture.owners:
        return picture.give(previous, lead, seen, status="reserved")
    other = picture.owner(previous)
    if other == lead:
        return lead
    alias = picture.has(previous, "in_use")
    why = conflict(picture.facts[lead], picture.facts[other], picture.limits, alias=user.namespace)
    if alias:
        picture.review |= {lead, other}
    if alias and not why:
        return picture.merge(lead, other, seen.event_id)
    picture.refuse(user, previous, why or "alias", seen)
    return lead


def _join(picture: Picture, lead: LeadId, pair: tuple[Identifier, Identifier], seen: Evidence) -> LeadId:
    """Join the second of two identifiers to the lead that has the first."""
    one = pair[1]
    if one not in picture.owners:
        _take(picture, lead, (one, pair[0]), seen)
        return lead
    other = picture.owner(one)
    if other == lead:
        return lead
    if why := conflict(picture.facts[lead], picture.facts[other], picture.limits):
        picture.refuse(*pair, why, seen)
        return lead
    picture.tie(one)
    return picture.merge(lead, other, seen.event_id)


def _take(picture: Picture, lead: LeadId, pair: tuple[Identifier, Identifier], seen: Evidence) -> bool:
    """Give the first of two identifiers, which nobody has, to the lead of the other, if it may have it."""
    if why := conflict(picture.facts[lead], alone(pair[0], seen.at), picture.limits):
        picture.refuse(*pair, why, seen)
        return False
    picture.give(pair[0], lead, seen)
    return True
