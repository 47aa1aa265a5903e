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


@pytest.mark.parametrize(
    "user_agent",
    ["curl/8.5.0", "python-requests/2.32", "Go-http-client/2.0", "Googlebot/2.1", "HeadlessChrome/141.0"],
)
def test_a_user_agent_is_no_hint_where_servers_send(user_agent: str) -> None:
    """The company's own server passes on what a person did, whatever it calls itself."""
    assert machine.hint("", user_agent, {}, by_server=True) is None


def test_a_server_does_not_outweigh_other_signs() -> None:
    """A trap or a remote-controlled browser is a sign whoever sends it."""
    assert machine.hint("honeypot", "curl/8", {}, by_server=True) == Machine(reason="honeypot")
    assert machine.hint("", "curl/8", {"webdriver": True}, by_server=True) == Machine(reason="webdriver")


def test_automated_browser_is_marked() -> None:
    """The snippet passes `navigator.webdriver` on."""
    assert machine.hint("", "Mozilla/5.0", {"webdriver": True}) == Machine(reason="webdriver")


def test_what_the_source_knows_goes_first() -> None:
    """A provider's own flag is the better reason."""
    assert machine.hint("apple_privacy", "Googlebot/2.1", {}) == Machine(reason="apple_privacy")
