"""Hints that no person did this: what a client says of itself.

In: a user agent, and flags that browsers and snippets set. Out: a `Machine` hint, or nothing.
Refuses to drop anything: hints travel with the event, and the scorer decides (it also sees behaviour).

Only what announces itself is found here. A machine that lies needs other signs: speed, repetition, networks.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from shared.events import Machine

USER_AGENT: Final = "user_agent"
WEBDRIVER: Final = "webdriver"
HONEYPOT: Final = "honeypot"
APPLE_PRIVACY: Final = "apple_privacy"

# "Cubot" is a phone; every other word that ends in "bot" is one.
_ANNOUNCED: Final = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|headless|phantomjs|lighthouse|pagespeed|facebookexternalhit"
    r"|pingdom|uptimerobot|curl/|wget/|python-requests|python-urllib|scrapy|go-http-client",
    re.IGNORECASE,
)


def hint(said: str, user_agent: str, context: Mapping[str, Any]) -> Machine | None:
    """Why this was probably no person; None if nothing says so.

    said:        what the source itself found out
    user_agent:  of the person's client, not of a server that speaks for them
    context:     of the event, as it came
    """
    if said:
        return Machine(reason=said)
    if context.get("webdriver") is True:
        return Machine(reason=WEBDRIVER)
    return Machine(reason=USER_AGENT) if user_agent and announced(user_agent) else None


@lru_cache(maxsize=2048)
def announced(user_agent: str) -> bool:
    """Whether a user agent says that it is a machine."""
    return _ANNOUNCED.search(user_agent) is not None
