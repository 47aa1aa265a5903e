"""Bodies made up by the schemas of openapi.json are accepted: what it says of a body is enough."""

import asyncio
from typing import Any, Final

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.chance import values
from tests.ingest.contract import DOCUMENT, operation
from tests.ingest.test_any_input import post

TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")


def bodies(name: str) -> st.SearchStrategy[Any]:
    """Values of one of the document's schemas."""
    return values({"$ref": f"#/components/schemas/{name}"})


def sent(path: str, body: Any) -> tuple[httpx.Response, dict[str, Any]]:
    """The answer to this body, and what it says; small enough to be about shapes and not about sizes."""
    answer, _ = asyncio.run(post(path, msgspec.json.encode(body)))
    described = "/v1/forms/{form}" if path.startswith("/v1/forms/") else path
    operation("post", described).check(answer)
    return answer, answer.json()


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_call_by_the_schema_is_accepted(type_: str, data: st.DataObject) -> None:
    """Whatever fits the schema of a call is an event."""
    body = data.draw(bodies(type_.capitalize()))
    answer, told = sent(f"/v1/{type_}", body)
    assert (answer.status_code, told.get("accepted")) == (200, 1), (body, told)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_batch_by_the_schema_is_accepted(data: st.DataObject) -> None:
    """Whatever fits the schema of a batch is taken whole."""
    items = data.draw(st.lists(bodies("Item"), max_size=3))
    answer, told = sent("/v1/batch", {"batch": items})
    assert (answer.status_code, told.get("accepted"), told.get("rejected")) == (200, len(items), 0), told


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_form_by_the_schema_is_accepted(data: st.DataObject) -> None:
    """Whatever fits the schema of a form is a submit."""
    answer, told = sent("/v1/forms/contact", data.draw(bodies("Form")))
    assert (answer.status_code, told.get("accepted")) == (200, 1), told


def test_the_schemas_of_calls_are_all_tried() -> None:
    """A type that is added is tried too."""
    names = {name for name in DOCUMENT["components"]["schemas"] if name.lower() in TYPES}
    items = DOCUMENT["components"]["schemas"]["Item"]["anyOf"]
    assert len(names) == len(items) == len(TYPES)
