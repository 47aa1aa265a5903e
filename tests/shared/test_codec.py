"""The wire format of events."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.codec import cloudevent_headers, decode, decode_all, encode, partition_key
from shared.errors import Invalid
from shared.events import Event, Machine
from shared.ids import EventId, event_id

AT = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)


def event(**fields: object) -> Event:
    return Event(
        **{  # type: ignore[arg-type]
            "event_id": EventId(UUID(int=7)),
            "source": "website",
            "kind": "web",
            "name": "page.viewed",
            "occurred_at": AT,
            "received_at": AT,
            **fields,
        }
    )


def test_an_event_survives_the_wire() -> None:
    """Every field comes back as it was sent."""
    sent = event(
        user_id="u",
        namespace="product",
        traits={"company": "Müller & Söhne"},
        properties={"nested": {"list": [1, 2.5, None, True]}},
        consent={"marketing": True},
        machine=Machine(reason="scanner"),
        extra={"integrations": {"All": True}},
    )
    assert decode(encode(sent)) == sent


def test_a_newer_sender_may_add_fields() -> None:
    """A field this version does not know is no reason to refuse an event."""
    wire = json.loads(encode(event()))
    assert decode(json.dumps({**wire, "from_the_future": 1}).encode()) == event()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"event_id": 1}', b"\xff\xfe", b'{"a":' * 3000, encode(event()).replace(b"Z", b"")],
)
def test_bytes_that_are_no_event_are_refused(body: bytes) -> None:
    """Whatever is not an event is `Invalid`, never a crash."""
    with pytest.raises(Invalid, match=r"not an event|no zone"):
        decode(body)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize("field", ["occurred_at", "received_at"])
def test_times_that_postgres_calls_infinite_are_refused(at: str, field: str) -> None:
    """They would come back without a zone, and with them the lead could not be scored any more."""
    wire = json.loads(encode(event()))
    with pytest.raises(Invalid, match="end of the calendar"):
        decode(json.dumps({**wire, field: at}).encode())


def test_many_events_are_read_as_one_by_one() -> None:
    """Joined by commas, none of them too; a mistake says which one it is."""
    sent = [event(user_id=str(number), traits={"n": number}) for number in range(3)]
    bodies = [encode(one) for one in sent]
    assert decode_all(b",".join(bodies)) == sent
    assert decode_all(b"") == []
    with pytest.raises(Invalid, match=r"not events: .*\$\[2\]"):
        decode_all(b",".join([*bodies[:2], b"{}"]))
    with pytest.raises(Invalid, match="no zone"):
        decode_all(b",".join([bodies[0], bodies[1].replace(b"Z", b"")]))


def test_one_person_has_one_partition_key() -> None:
    """The key follows the strongest id, and an address never appears in it."""
    assert partition_key(event(user_id="u", anonymous_id="a")) == b"website:u"
    assert partition_key(event(anonymous_id="a")) == b"website:a"
    key = partition_key(event(email="Ada@example.com"))
    assert b"ada" not in key.lower()
    assert key == partition_key(event(email="ada@example.com"))


def test_headers_follow_cloudevents() -> None:
    """The attributes that CloudEvents requires are there, as headers."""
    headers = dict(cloudevent_headers(event()))
    assert headers["ce_id"] == str(UUID(int=7)).encode()
    assert headers["ce_type"] == b"page.viewed"
    assert headers["ce_specversion"] == b"1.0"


def test_an_event_id_is_stable_and_belongs_to_its_source() -> None:
    """The same message gives the same id again; another source's message another one."""
    assert event_id("web", "m-1") == event_id("web", "m-1")
    assert event_id("web", "m-1") != event_id("app", "m-1")
