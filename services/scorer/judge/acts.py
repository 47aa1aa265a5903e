"""One event as the judge sees it: when, in which message, which link, from where (pure).

In: an event as it is stored. Out: `Act`. Refuses to guess: a message without an id of its own is told by its
campaign or subject, and one without these is no message, so that nothing is held against its clicks.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from shared.events import (
    EMAIL_CLICKED,
    EMAIL_DELIVERED,
    EMAIL_OPENED,
    FORM_SUBMITTED,
    PAGE_VIEWED,
    Event,
)
from shared.ids import EventId

EMAIL_REPLIED: Final = "email.replied"
MAIL_NAMES: Final = frozenset({EMAIL_DELIVERED, EMAIL_OPENED, EMAIL_CLICKED, EMAIL_REPLIED})
SITE_NAMES: Final = frozenset({PAGE_VIEWED, FORM_SUBMITTED})
NAMES: Final = tuple(sorted(MAIL_NAMES | SITE_NAMES))
"""The events that the judge reads; all others are neither judged nor evidence."""

_OF_A_LINK: Final = frozenset({EMAIL_CLICKED, PAGE_VIEWED})

# As providers call the id of one message to one recipient, then what names a mail at least.
_MESSAGE: Final = (
    *("sg_message_id", "message_id", "messageId", "message-id", "MessageID", "email_id", "emailId"),
    *("delivery_id", "mail_id", "smtp-id"),
    *("campaign_id", "campaignId", "singlesend_id", "broadcast_id", "newsletter_id", "subject"),
)
_LINK: Final = ("url", "link", "href")
_ENGAGED: Final = ("engaged_s", "engagement_s", "scroll_depth", "time_on_page")

# In this order: what says Android says Linux as well, and an iPad may say Macintosh.
_SYSTEMS: Final = re.compile(r"(iPhone|iPad|Android|Windows|Macintosh|Mac OS|CrOS|Linux)", re.IGNORECASE)
_PROXY: Final = re.compile(r"^Mozilla/5\.0$|GoogleImageProxy|YahooMailProxy|ggpht\.com", re.IGNORECASE)


class Client(NamedTuple):
    """From where: the truncated address, and the operating system; each empty where nobody knows."""

    network: str
    system: str

    def differs(self, other: "Client") -> bool:
        """Whether both network and system are known to be others."""
        return (
            bool(self.network and other.network and self.system and other.system)
            and self.network != other.network
            and self.system != other.system
        )


class Act(NamedTuple):
    """One event of a person.

    at_s:      when it occurred, in seconds since 1970
    message:   what names the mail it is about; empty: nothing does
    proxy:     a privacy proxy fetched it, whatever the reader did
    engaged:   of a page view: the page says that somebody read it
    believed:  neither marked nor set aside by somebody: only what is believed proves a person
    """

    event_id: EventId
    at_s: float
    name: str
    message: str
    link: str
    client: Client
    proxy: bool
    engaged: bool
    believed: bool


def act(event: Event, *, believed: bool) -> Act:
    """An event as the judge sees it."""
    agent = _text(event.context.get("user_agent"))
    mail = event.name in MAIL_NAMES
    return Act(
        event_id=event.event_id,
        at_s=event.occurred_at.timestamp(),
        name=event.name,
        message=_message(event) if mail else "",
        link=_link(event) if event.name in _OF_A_LINK else "",
        client=Client(_text(event.context.get("ip")), system(agent) if agent else ""),
        proxy=event.name == EMAIL_OPENED and event.kind == "email" and bool(_PROXY.search(agent)),
        engaged=event.name == PAGE_VIEWED and any(_positive(event.properties.get(name)) for name in _ENGAGED),
        believed=believed and event.machine is None,
    )


@lru_cache(maxsize=2048)
def system(user_agent: str) -> str:
    """The operating system that a user agent names; a user agent that names none stands for itself."""
    found = _SYSTEMS.search(user_agent)
    return found[1].lower() if found else user_agent[:80].lower()


def _message(event: Event) -> str:
    """What names the mail, with its source: two providers may count alike."""
    properties = event.properties
    for name in _MESSAGE:
        if found := _text(properties.get(name)):
            return f"{event.source}:{_of_one_message(found) if name == 'sg_message_id' else found}"
    headers = _within(_within(properties.get("message")).get("headers"))
    found = _text(headers.get("message-id")) or _text(_within(event.context.get("campaign")).get("id"))
    return f"{event.source}:{found}" if found else ""


def _of_one_message(sendgrid: str) -> str:
    """SendGrid adds to a message's id, from event to event, by which of its machines it went."""
    return sendgrid.partition(".")[0]


def _link(event: Event) -> str:
    page = _within(event.context.get("page"))
    candidates = (*(event.properties.get(name) for name in _LINK), page.get("url"), page.get("path"))
    return next((text.partition("#")[0] for text in map(_text, candidates) if text), "")


def _within(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
