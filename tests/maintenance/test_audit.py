"""What `make audit` makes of pip-audit's reports."""

from maintenance.audit import sentences, understood

FINE = {"name": "fine", "version": "1", "vulns": []}
HOLED = {"name": "holed", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


def test_a_vulnerability_is_told_with_its_remedy() -> None:
    """Once, however many services have the package."""
    audit = understood([{"dependencies": [FINE, HOLED]}, {"dependencies": [HOLED]}])
    assert sentences(audit) == [
        "holed 2: CVE-1, mended in 2.1",
        "2 packages looked at, 1 vulnerabilities known.",
    ]


def test_what_was_not_looked_at_is_named() -> None:
    """A registry's silence about one package is not safety."""
    audit = understood([{"dependencies": [FINE, UNKNOWN]}])
    assert sentences(audit)[-1] == "Not looked at, because the registry does not know them: unknown."


def test_a_registry_that_knows_nothing_is_no_clean_bill() -> None:
    """Every package skipped: the sentence says that nothing was looked at."""
    audit = understood([{"dependencies": [UNKNOWN]}])
    assert audit.looked == 0
    assert sentences(audit) == [
        "Nothing was looked at: the registry here has no JSON interface that knows our packages."
    ]
