"""Signatures, verified by the package that receivers use."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.router.sign import headers, read_secret
from shared.errors import Invalid
from shared.ids import DeliveryId
from tests.router.receiver import OLD_SECRET, SECRET

ID = DeliveryId(UUID(int=5))


@given(body=st.text(st.characters(codec="utf-8")))
def test_a_receiver_verifies_any_body(body: str) -> None:
    """What we sign, the reference implementation accepts."""
    signed = headers(ID, body.encode(), [read_secret(SECRET)], datetime.now(UTC))
    Webhook(SECRET).verify(body, signed, json_parse=False)


@pytest.mark.parametrize("known", [SECRET, OLD_SECRET])
def test_while_a_secret_changes_both_verify(known: str) -> None:
    """A body signed with both secrets is accepted under the old one and under the new one."""
    keys = [read_secret(SECRET), read_secret(OLD_SECRET)]
    Webhook(known).verify(b"{}", headers(ID, b"{}", keys, datetime.now(UTC)))


@pytest.mark.parametrize(
    "change",
    [{"webhook-id": "another"}, {"webhook-timestamp": "1"}, {"webhook-signature": "v1,AAAA"}],
)
def test_a_changed_header_is_refused(change: dict[str, str]) -> None:
    """Id and time are part of what is signed."""
    signed = headers(ID, b"{}", [read_secret(SECRET)], datetime.now(UTC))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(b"{}", {**signed, **change})


def test_another_secret_or_body_is_refused() -> None:
    """Only who has the secret can sign, and only this body."""
    signed = headers(ID, b"{}", [read_secret(SECRET)], datetime.now(UTC))
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify(b"{}", signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(b"{ }", signed)


def test_the_id_stays_and_the_time_is_of_the_attempt() -> None:
    """A retry has the same webhook-id and a fresh webhook-timestamp."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    first = headers(ID, b"{}", [b"k" * 24], at)
    second = headers(ID, b"{}", [b"k" * 24], at + timedelta(seconds=5))
    assert first["webhook-id"] == second["webhook-id"] == str(ID)
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "password",
        "whsec_",
        "whsec_not base64!",
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        base64.b64encode(b"k" * 32).decode(),
    ],
)
def test_a_weak_or_broken_secret_is_refused_without_being_repeated(text: str) -> None:
    """The message says what a secret looks like and how to make one, never what was seen."""
    with pytest.raises(Invalid) as caught:
        read_secret(text)
    assert "openssl rand" in caught.value.message
    assert len(text) < 7 or text not in caught.value.message
