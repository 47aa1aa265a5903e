"""Weak evidence: an anonymous id names a device, and a device serves people one after the other (no I/O).

In: the picture so far, an event's anonymous ids. Out: whom a device serves.
A device gives its anonymous history to the first person who becomes known on it. When somebody else becomes
known on it, it serves that one from then on and its past stays where it is. One that serves more people in a
day than `limits.people_per_device` is shared: its anonymous events belong to nobody.
Refuses to join two known people, whatever they share.
"""

from datetime import UTC

from services.scorer.identify.evidence import Evidence
from services.scorer.identify.facts import Held, Recent, are_apart, conflict
from services.scorer.identify.picture import Picture
from shared.ids import NOBODY, LeadId
from shared.leads.identifiers import Identifier


def serve(picture: Picture, lead: LeadId, device: Identifier, seen: Evidence) -> LeadId:
    """Have a device serve this known person; returns the person's lead after a merge."""
    held = picture.owners.get(device)
    if held is None:
        return picture.give(device, lead, seen)
    other = picture.final(held.lead)
    if held.status == "shared" or other == lead:
        return lead
    theirs, ours = picture.facts[other], picture.facts[lead]
    if not theirs.known:
        if are_apart(theirs.apart, ours.apart):
            return lead  # somebody decided that this visitor is another person
        picture.change(device, held._replace(since=seen.at))
        picture.tie(device)
        return picture.merge(lead, other, seen.event_id)
    if held.since <= seen.at < picture.latest.get(other, seen.at):
        picture.late_uses.add((lead, other))  # theirs may have been later: their history tells
    elif seen.at >= held.since:
        _move(picture, device, held, lead, seen)
    return lead


def visitor(picture: Picture, seen: Evidence) -> LeadId:
    """Whose an anonymous event is; devices named together are one, unless two known people have them."""
    devices = picture.usable(seen.weak)
    if not devices:
        return NOBODY
    owned = [one for one in devices if one in picture.owners]
    lead = picture.owner(owned[0]) if owned else picture.create(seen)
    for device in devices:
        if device not in picture.owners:
            picture.give(device, lead, seen)
        elif (other := picture.owner(device)) != lead and _may_be_one(picture, lead, other):
            lead = picture.merge(lead, other, seen.event_id)
    return lead


def _may_be_one(picture: Picture, lead: LeadId, other: LeadId) -> bool:
    one, two = picture.facts[lead], picture.facts[other]
    return not (one.known and two.known) and conflict(one, two, picture.limits) is None


def _move(picture: Picture, device: Identifier, held: Held, lead: LeadId, seen: Evidence) -> None:
    """Somebody else uses the device now: remember both, and mark it when it serves too many in a day."""
    before = picture.final(held.lead)
    picture.take_device(before)
    picture.add_device(lead)
    picture.tie(device)
    day = seen.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = held.recent.leads if held.recent and held.recent.since >= day else ()
    known_today = (before,) if held.since >= day else ()
    people = tuple(dict.fromkeys((*map(picture.final, today), *known_today, lead)))
    crowded = len(people) > picture.limits.people_per_device
    if crowded:
        picture.shared.append(device)
    status = "shared" if crowded else held.status
    recent = Recent(since=day, leads=people)
    picture.change(device, held._replace(lead=lead, since=seen.at, status=status, recent=recent))
