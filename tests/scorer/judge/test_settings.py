"""The judge as an installation has it: on, with the lists that come along, told by the environment."""

import pytest

from services.scorer.judge.judge_of import judge_of
from services.scorer.judge.judge_settings import JudgeSettings
from services.scorer.judge.recipients import click_of
from services.scorer.judge.thresholds import Thresholds, lies_in
from services.scorer.settings import ScorerSettings
from shared.errors import Misconfigured
from shared.ids import NOBODY
from shared.settings import load
from tests.scorer.identity.people import RULES
from tests.scorer.judge.mails import clicked

KEY = {"LEADSCORE_IDENTITY_KEY": "an identity key for tests"}


def test_by_default_it_judges() -> None:
    """What nobody has set is what the thresholds say by themselves; off is one word."""
    assert load(ScorerSettings, KEY).thresholds() == Thresholds()
    assert load(JudgeSettings, {"LEADSCORE_JUDGE": "off"}).thresholds() == Thresholds(on=False)


def test_networks_and_links_are_listed_by_comma() -> None:
    """A truncated address lies in a network if any address that it may have been does."""
    said = {
        "LEADSCORE_JUDGE_OWN_NETWORKS": "192.0.2.128/25, 2001:db8:7::/56",
        "LEADSCORE_JUDGE_TRAP_LINKS": "/trap,/hidden",
    }
    limits = load(JudgeSettings, said).thresholds()
    assert limits.trap_links == ("/trap", "/hidden")
    inside = ("192.0.2.0", "2001:db8:7::")
    assert [lies_in(address, limits.own_networks) for address in inside] == [True, True]
    outside = ("192.0.3.0", "2001:db8:8::", "", "no address")
    assert not any(lies_in(address, limits.own_networks) for address in outside)


def test_what_is_no_network_is_refused_at_start() -> None:
    """With the variable and the value seen."""
    with pytest.raises(Misconfigured, match=r"LEADSCORE_JUDGE_DATACENTRES: .*10\.0\.0\.1/8"):
        load(JudgeSettings, {"LEADSCORE_JUDGE_DATACENTRES": "10.0.0.1/8"})


def test_public_providers_are_nobodys_company() -> None:
    """Addresses at free and at throw-away providers have no neighbours; a company's clicks are hashed."""
    judge = judge_of(load(JudgeSettings, {}), RULES)
    for address in ("ada@gmail.com", "ada@mailinator.com", "ADA@Gmail.com"):
        assert click_of(clicked(1, who=address), NOBODY, RULES, judge.private) is None
    ada, bo = (
        click_of(clicked(1, who=f"{who}@firma.example"), NOBODY, RULES, judge.private)
        for who in ("ada", "bo")
    )
    assert ada
    assert bo
    assert (ada.domain == bo.domain, ada.recipient == bo.recipient) == (True, False)
    assert b"firma" not in ada.domain
