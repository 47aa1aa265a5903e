"""What announces itself as a machine."""

import pytest

from services.ingest import machine
from shared.events import Machine


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/141.0 Safari/537.36",
        "facebookexternalhit/1.1",
        "curl/8.5.0",
        "python-requests/2.32",
        "AhrefsBot/7.0",
    ],
)
def test_announced_machines_are_marked(user_agent: str) -> None:
    """A user agent that says it is a machine is believed."""
    assert machine.hint("", user_agent, {}) == Machine(reason="user_agent")


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 11; CUBOT KINGKONG 5) Chrome/120 Mobile",
    ],
)
def test_people_are_not_marked(user_agent: str) -> None:
    """Browsers are people, Cubot's phones too."""
    assert machine.hint("", user_agent, {}) is None


def test_automated_browser_is_marked() -> None:
    """The snippet passes `navigator.webdriver` on."""
    assert machine.hint("", "Mozilla/5.0", {"webdriver": True}) == Machine(reason="webdriver")


def test_what_the_source_knows_goes_first() -> None:
    """A provider's own flag is the better reason."""
    assert machine.hint("apple_privacy", "Googlebot/2.1", {}) == Machine(reason="apple_privacy")
