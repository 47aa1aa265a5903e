"""Whose company an address is of."""

import pytest

from shared.leads.account_of import company_domain


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("ada@Firma.Example.", "firma.example"),
        ("ada@Straße.example", "straße.example"),
        ("ada@strasse.example", "strasse.example"),
        ("ada@privat.example", ""),
        ("ada@Weiß.example", ""),
        ("nobody", ""),
    ],
)
def test_the_domain_of_a_business_address(email: str, domain: str) -> None:
    """In small letters, and no other domain than it says: straße and strasse are two companies."""
    assert company_domain(email, {"privat.example", "weiss.example"}) == domain
