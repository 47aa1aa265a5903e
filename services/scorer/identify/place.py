"""Whose event is this? The recipe, one event at a time (no I/O).

In: the picture so far, an event's evidence. Out: its lead; the picture knows what to write.
Refuses to look back: an event that conflicts with what is known asks for a regroup (groups.py).
"""

from services.scorer.identify.devices import serve, visitor
from services.scorer.identify.evidence import Evidence
from services.scorer.identify.people import person, watch
from services.scorer.identify.picture import Picture
from shared.ids import NOBODY, LeadId


def place(picture: Picture, seen: Evidence) -> LeadId:
    """The lead this event belongs to; `picture.final` says where it ended after later merges."""
    strong = [one for one in seen.strong if not picture.has(one, "suspended")]
    if not strong:
        # Whoever has what is not believed: a right must not get lost with the trust in an identifier.
        of_somebody = seen.objection and seen.strong
        return picture.owner(seen.strong[0]) if of_somebody else visitor(picture, seen)
    met_before = strong[0] in picture.owners
    picture.ties = 0
    lead = person(picture, strong, seen)
    for device in seen.weak:
        lead = serve(picture, lead, device, seen)
    if seen.objection:
        picture.objecting.add(lead)
    if met_before and picture.ties:
        watch(picture, strong[0], seen)
    picture.happened(lead, seen.at)
    return lead


def place_quarantined(picture: Picture, seen: Evidence) -> LeadId:
    """The lead that keeps a quarantined event: what a machine did merges nobody and moves no device."""
    usable = picture.usable((*seen.strong, *seen.weak))
    for one in usable:
        if one in picture.owners:
            return picture.owner(one)
    return picture.give(usable[0], picture.create(seen), seen) if usable else NOBODY


def why_nobody(picture: Picture, seen: Evidence) -> str:
    """Why an event belongs to nobody, as the reason of its quarantine."""
    if any(picture.has(one, "shared") for one in seen.weak):
        return "shared_device"
    return "suspended_identifier" if seen.strong else "nobody"
