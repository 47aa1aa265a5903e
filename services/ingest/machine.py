"""Hints that no person did this: what a client says of itself.

In: a user agent, and flags that browsers and snippets set. Out: a `Machine` hint, or nothing.
A *crawler* visits by itself; a *program* (curl, python-requests) may be the company's own server. Where
servers send, a user agent is no hint, whatever it says: they pass on what a person did.
Refuses to drop anything: hints travel with the event, and the scorer decides (it also sees behaviour).

Only what announces itself is found here. A machine that lies needs other signs: speed, repetition, networks.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from shared.events import Machine

USER_AGENT: Final = "user_agent"
WEBDRIVER: Final = "webdriver"
HONEYPOT: Final = "honeypot"
APPLE_PRIVACY: Final = "apple_privacy"

Announced = Literal["", "crawler", "program"]

# "Cubot" is a phone; every other word that ends in "bot" is one.
_CRAWLER: Final = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|headless|phantomjs|lighthouse|pagespeed|facebookexternalhit"
    r"|pingdom|uptimerobot|scrapy",
    re.IGNORECASE,
)
_PROGRAM: Final = re.compile(r"curl/|wget/|python-requests|python-urllib|go-http-client", re.IGNORECASE)


def hint(
    said: str, user_agent: str, context: Mapping[str, Any], *, by_server: bool = False
) -> Machine | None:
    """Why this was probably no person; None if nothing says so.

    said:        what the source itself found out
    user_agent:  of the person's client, as far as anybody told
    context:     of the event, as it came
    by_server:   a server of the company's may have sent it, so that a user agent is no hint
    """
    if said:
        return Machine(reason=said)
    if context.get("webdriver") is True:
        return Machine(reason=WEBDRIVER)
    if by_server or not user_agent or not announced(user_agent):
        return None
    return Machine(reason=USER_AGENT)


@lru_cache(maxsize=2048)
def announced(user_agent: str) -> Announced:
    """Which kind of machine a user agent says it is; empty if it says nothing of the kind."""
    if _CRAWLER.search(user_agent):
        return "crawler"
    return "program" if _PROGRAM.search(user_agent) else ""
