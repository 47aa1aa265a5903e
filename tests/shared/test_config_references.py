"""One grammar of `${NAME}` for every configuration file."""

import pytest

from shared.config_references import filled, unset


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("plain", "plain"),
        ("${KEY}", "k"),
        ("https://${host_1}/x?k=${KEY}", "https://h/x?k=k"),
        ("${1}", "${1}"),
        ("$KEY", "$KEY"),
        ("${EMPTY}", None),
        ("${KEY} ${AWAY}", None),
    ],
)
def test_references_are_replaced_wherever_they_stand(text: str, meant: str | None) -> None:
    """A whole value or a part of one; what is not set or empty leaves nothing."""
    assert filled(text, {"KEY": "k", "host_1": "h", "EMPTY": ""}) == meant


def test_what_is_not_set_is_named() -> None:
    """In the order of the text."""
    assert unset("${B} ${A} ${KEY}", {"KEY": "k"}) == ["B", "A"]
