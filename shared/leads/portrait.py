"""Who is this lead, from what its events said (pure).

In: a lead's counted events, in order of time. Out: `Portrait`: the person, where they came from, what they
agreed to. Refuses to guess: what no event said is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.events import OWN_NAMESPACE, Event, default_namespace
from shared.scoring.engine.consent import answers

_IDENTIFIERS: Final = ("email", "anonymous_id", "account_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """What deliveries tell about the person.

    person:       newest email, user_id (the product's own), anonymous_id, account_id; `ids`: the newest user
                  id of each namespace, so that a CRM finds its record; and traits (newest value of each)
    attribution:  `first` and `last` touch: source, medium, campaign, referrer, click_ids, at
    consent:      purpose → granted, as scoring sees it; None if nobody asked
    """

    person: Mapping[str, Any]
    attribution: Mapping[str, Any]
    consent: Mapping[str, bool] | None


def portrait(history: Sequence[Event]) -> Portrait:
    """The portrait that this history paints."""
    person: dict[str, Any] = {}
    ids: dict[str, str] = {}
    traits: dict[str, Any] = {}
    for event in history:
        person.update({name: value for name in _IDENTIFIERS if (value := getattr(event, name))})
        if event.user_id:
            ids[event.namespace or default_namespace(event.kind, event.source)] = event.user_id
        traits.update(event.traits)
    asked = any(event.consent is not None for event in history)
    if OWN_NAMESPACE in ids:
        person["user_id"] = ids[OWN_NAMESPACE]
    return Portrait(
        person={**person, "ids": ids, "traits": traits},
        attribution=_attribution(history),
        consent=answers(history) if asked else None,
    )


def _attribution(history: Sequence[Event]) -> dict[str, Any]:
    touches = [touch for event in history if (touch := _touch(event))]
    return {"first": touches[0], "last": touches[-1]} if touches else {}


def _touch(event: Event) -> dict[str, Any]:
    """Where this event says the person came from, empty if it does not say."""
    context = event.context
    touch = {name: context[name] for name in ("campaign", "referrer", "click_ids") if context.get(name)}
    return {**touch, "at": event.occurred_at.isoformat()} if touch else {}
