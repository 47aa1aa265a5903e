"""The router's settings."""

import pytest

from services.router.settings import RouterSettings
from shared.errors import Misconfigured
from shared.settings import load


def test_waits_are_written_with_commas() -> None:
    """A list of seconds, as an environment variable can hold one."""
    settings = load(RouterSettings, {"LEADSCORE_ROUTER_RETRY_WAITS_S": "1, 2.5,600"})
    assert settings.retry_waits_s == (1, 2.5, 600)


def test_the_process_environment_is_read_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as JSON, which pydantic-settings would expect."""
    monkeypatch.setenv("LEADSCORE_ROUTER_RETRY_WAITS_S", "7,8")
    assert load(RouterSettings).retry_waits_s == (7, 8)


@pytest.mark.parametrize("value", ["0", "5,,6", "5,-1", "soon", "90000"])
def test_a_wait_that_is_none_is_refused(value: str) -> None:
    """Each wait is a number of seconds, above 0 and at most a day."""
    with pytest.raises(Misconfigured, match="RETRY_WAITS_S"):
        load(RouterSettings, {"LEADSCORE_ROUTER_RETRY_WAITS_S": value})


def test_a_lease_outlives_its_request() -> None:
    """Otherwise a second router could overtake a request that still runs."""
    with pytest.raises(Misconfigured, match="at least 10 s longer"):
        load(
            RouterSettings,
            {"LEADSCORE_ROUTER_LEASE_S": "29", "LEADSCORE_ROUTER_REQUEST_TIMEOUT_S": "20"},
        )
