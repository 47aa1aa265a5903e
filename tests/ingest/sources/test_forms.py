"""Submitted forms."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.ingest.draft import Draft
from services.ingest.limits import Limits
from services.ingest.registry import Form
from services.ingest.sources import forms
from shared.errors import Invalid

NOW = datetime(2026, 1, 1, 9, tzinfo=UTC)
FORM = Form(
    id="demo-request",
    thanks="https://www.shop.example/thanks",
    redirects=frozenset({"https://www.shop.example", "https://other.example/only/here"}),
    honeypot="website_url",
    traits=frozenset({"company", "name"}),
)
MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="email"\r\n\r\na@example.com\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="cv"; filename="cv.pdf"\r\n\r\n%PDF\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="n"\r\n\r\n\xc3\xa4\r\n--XX--\r\n'
)


def draft(fields: dict[str, Any], at: datetime = NOW) -> Draft:
    """The draft of a submit with these fields."""
    return forms.draft(fields, FORM, at)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"email=a%40example.com&n=%C3%A4", {"email": "a@example.com", "n": "ä"}),
        (b"a=1&a=2&a=3&b=", {"a": ["1", "2", "3"], "b": ""}),
        (b'{"email":"a@example.com","n":7}', {"email": "a@example.com", "n": 7}),
        (MULTIPART, {"email": "a@example.com", "n": "ä"}),
        (b"n=%FF&z=%00", {"n": "\ufffd", "z": "\ufffd"}),
    ],
)
def test_the_first_bytes_tell_the_encoding(body: bytes, fields: dict[str, Any]) -> None:
    """Urlencoded, JSON and multipart give the same fields; files are left out, repeated names are lists."""
    assert forms.fields(body, Limits()) == fields


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_form"),
        (b"&".join(b"a%d=1" % number for number in range(300)), "invalid_form"),
        (b"--XX\r\nnonsense", "invalid_form"),
        (b"--", "invalid_form"),
        (
            b"".join(b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(201))
            + b"--X--",
            "invalid_form",
        ),
        (b"[1]", "not_an_object"),
        (b'{"a":', "invalid_json"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, code: str) -> None:
    """Empty, too many fields, broken multipart, broken JSON."""
    with pytest.raises(Invalid) as refused:
        forms.fields(body, Limits())
    assert refused.value.code == code


def test_fields_go_to_their_places() -> None:
    """The person's to traits, ours to ids, context and consent, all others to properties."""
    found = draft(
        {
            "email": "a@example.com",
            "company": "ACME",
            "message": "Hello",
            "anonymous_id": "anon",
            "_id": "once",
            "_redirect": "https://www.shop.example/x",
            "page_url": "https://www.shop.example/demo",
            "utm_source": "google",
            "utm_campaign": "spring",
            "gclid": "Cj0",
            "consent_marketing": "on",
            "consent_profiling": "no",
            "website_url": "",
        }
    )
    assert (found.name, found.kind, found.fingerprint, found.anonymous_id) == (
        "form.submitted",
        "form",
        "form:demo-request:once",
        "anon",
    )
    assert found.emails == ("a@example.com",)
    assert found.traits == {"email": "a@example.com", "company": "ACME"}
    assert found.properties == {"message": "Hello", "form": "demo-request"}
    assert found.context == {
        "page": {"url": "https://www.shop.example/demo"},
        "campaign": {"source": "google", "name": "spring"},
        "click_ids": {"gclid": "Cj0"},
    }
    assert found.consent == {"marketing": True, "profiling": False}
    assert found.machine == ""


def test_a_ticked_objection_is_no_submit() -> None:
    """The event says that the person objects; unticked, or on a form that has none, it is a submit."""
    objecting = replace(FORM, objection="no_scoring")
    for ticked, form, name in (
        ("on", objecting, "person.objected"),
        ("no", objecting, "form.submitted"),
        ("on", FORM, "form.submitted"),
    ):
        made = forms.draft({"email": "a@example.com", "no_scoring": ticked}, form, NOW)
        assert (made.name, made.kind) == (name, "form")
    assert forms.draft({"email": "a@example.com", "": "on"}, FORM, NOW).name == "form.submitted"


def test_a_checkbox_behind_a_hidden_no_is_ticked() -> None:
    """Frameworks send no and then yes: the last one is the answer."""
    assert draft({"email": "a@example.com", "consent_ads": ["0", "1"], "consent_x": ["1", "0"]}).consent == {
        "ads": True,
        "x": False,
    }


@pytest.mark.parametrize("name", ["password", "user_password", "card_number", "CVV", "iban", "client_secret"])
def test_secrets_are_left_out(name: str) -> None:
    """What looks like a password or a card goes nowhere."""
    found = draft({"email": "a@example.com", name: "hunter2"})
    assert "hunter2" not in msgspec.json.encode(found).decode()


@pytest.mark.parametrize(
    "name", ["businessName", "fitnessNeeds", "witness_name", "secretary", "postcard_newsletter"]
)
def test_what_only_looks_like_a_secret_is_kept(name: str) -> None:
    """The same letters, in another word."""
    assert draft({"email": "a@example.com", name: "ACME"}).properties[name] == "ACME"


def test_a_form_cannot_say_which_form_it_is() -> None:
    """A field named `form` does not pretend to be another form."""
    assert draft({"form": "contact"}).properties["form"] == "demo-request"


def test_who_fills_the_honeypot_is_a_machine() -> None:
    """The event is kept and marked."""
    assert draft({"email": "a@example.com", "website_url": "http://spam"}).machine == "honeypot"


def test_a_double_click_is_one_event() -> None:
    """The same fields on the same day have one fingerprint, in any order of fields."""
    first, again = (
        draft({"email": "a", "b": "1"}),
        draft({"b": "1", "email": "a"}, NOW + timedelta(minutes=5)),
    )
    assert first.fingerprint == again.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        forms.draft({"email": "b"}, FORM, NOW),
        forms.draft({"email": "a"}, FORM, NOW + timedelta(days=1)),
        forms.draft(
            {"email": "a"},
            Form(id="x", thanks="", redirects=frozenset(), honeypot="h", traits=frozenset()),
            NOW,
        ),
    ],
)
def test_another_submit_is_another_event(other: Draft) -> None:
    """Other words, another day, another form."""
    assert draft({"email": "a"}).fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("wish", "goes"),
    [
        ("https://www.shop.example/welcome?a=1", "https://www.shop.example/welcome?a=1"),
        ("https://other.example/only/here", "https://other.example/only/here"),
        ("https://other.example/elsewhere", FORM.thanks),
        ("https://evil.example/", FORM.thanks),
        ("https://www.shop.example.evil.example/", FORM.thanks),
        ("https://www.shop.example@evil.example/", FORM.thanks),
        ("https://www.shop.example\\@evil.example/", FORM.thanks),
        ("//evil.example/", FORM.thanks),
        ("/relative", FORM.thanks),
        ("javascript:alert(1)", FORM.thanks),
        ("https://www.shop.example/\r\nSet-Cookie: a=b", FORM.thanks),
        ("http://www.shop.example/", FORM.thanks),
        ("https://[bad", FORM.thanks),
        (["https://www.shop.example/", "x"], FORM.thanks),
        (None, FORM.thanks),
    ],
)
def test_browsers_go_only_where_the_form_may_send_them(wish: Any, goes: str) -> None:
    """A hidden field cannot make an open redirect of us."""
    assert forms.next_page({"_redirect": wish}, FORM) == goes


def test_an_id_is_of_its_form_alone() -> None:
    """Two forms that each count their entries have the same numbers; a resent entry is the same event."""
    other = Form(id="contact", thanks="", redirects=frozenset(), honeypot="h", traits=frozenset())
    sent = {"_id": "17", "email": "a@example.com"}
    first, again = draft(sent), draft({**sent, "email": "b@example.com"}, NOW + timedelta(days=3))
    assert first.fingerprint == again.fingerprint != forms.draft(sent, other, NOW).fingerprint


def test_secrets_inside_of_other_fields_are_left_out() -> None:
    """JSON may have fields inside of fields."""
    sent = {
        "email": "a@example.com",
        "login": {"name": "ada", "password": "hunter2"},
        "all": [{"cvv": "123"}],
    }
    found = draft(sent)
    assert found.properties == {"login": {"name": "ada"}, "all": [{}], "form": "demo-request"}
