"""The event envelope: what travels on `leads.events.v1`.

In: values that ingest has validated. Out: `Event`, frozen, as JSON on the wire (shared/codec.py).
Ingest/validate decides what may become an event.

A reader of an older version must be able to read a newer one: fields are added, never renamed
or given a new meaning; a breaking change is a new topic.
"""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from shared.ids import EventId

SCHEMA_VERSION: Final = 1

Kind = Literal["web", "form", "email", "product", "crm"]

Imported = Literal["silent", "deliver"]

OWN_NAMESPACE: Final = "product"
"""The namespace of the company's own website, product and forms: all of them send its own user ids."""

OWN_KINDS: Final = frozenset({"web", "product", "form"})

PAGE_VIEWED: Final = "page.viewed"
PERSON_IDENTIFIED: Final = "person.identified"
FORM_SUBMITTED: Final = "form.submitted"
EMAIL_DELIVERED: Final = "email.delivered"
EMAIL_OPENED: Final = "email.opened"
EMAIL_CLICKED: Final = "email.clicked"
EMAIL_BOUNCED: Final = "email.bounced"
EMAIL_UNSUBSCRIBED: Final = "email.unsubscribed"
EMAIL_COMPLAINED: Final = "email.complained"
PERSON_OBJECTED: Final = "person.objected"
PERSON_OBJECTION_WITHDRAWN: Final = "person.objection_withdrawn"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A hint from the sender or from ingest that no person did this.

    reason: closed set such as `apple_privacy`, `user_agent`, `scanner`
    """

    reason: str


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that one person did, or that became known about them.

    event_id:     uuid5 of source and the sender's message id; uuid7 where the sender gave none
    source:       id of the sender in sources.yaml
    name:         `page.viewed`, `form.submitted`, `email.clicked` …; a track call keeps its own name
    occurred_at:  corrected for the sender's clock, never later than received_at
    namespace:    whose user id it is: all ids of one namespace are given by one system; None in events of
                  before namespaces, and where there is no user id
    traits:       what is known about the person (company, title, …)
    properties:   what is known about this act (url, form, amount, …)
    context:      page, campaign, referrer, click_ids, user_agent, ip (truncated), locale, library
    consent:      purpose → granted; None where the source says nothing
    extra:        fields of the sender that we do not know, kept as they came
    imported:     it is history that `leadscore import` sent; silent: destinations are not told what it moves
    """

    event_id: EventId
    source: str
    kind: Kind
    name: str
    occurred_at: datetime
    received_at: datetime
    schema_version: int = SCHEMA_VERSION
    user_id: str | None = None
    namespace: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    previous_id: str | None = None
    account_id: str | None = None
    traits: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}
    consent: dict[str, bool] | None = None
    machine: Machine | None = None
    extra: dict[str, Any] = {}
    imported: Imported | None = None


def default_namespace(kind: Kind, source: str) -> str:
    """Whose user ids a source sends if its section does not say: the product's, or its own (CRM, e-mail).

    kind:    of the source, not of one of its events
    source:  its id
    """
    return OWN_NAMESPACE if kind in OWN_KINDS else source
