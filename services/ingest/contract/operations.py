"""Every path of ingest's API: what it takes, and each refusal that it may answer (pure).

In: the paths of app.py, the groups of refusals.py. Out: `Operation` for each path and method.
Refuses to leave out a refusal: tests/ingest/test_contract.py sends what each of them answers, and any noise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from services.ingest import app, refusals

Proof = Literal["key", "origin", "signature", "nothing"]
"""How a sender is known: a key; the page a form is on; a provider's signature; not at all"""

ORIGIN: Final = MappingProxyType({"origin_not_allowed": refusals.KEY["origin_not_allowed"]})
EVENT: Final = MappingProxyType(refusals.JSON | refusals.PERSON | refusals.VALUES)
LATER: Final = refusals.LATER
BUSY: Final = MappingProxyType({"unavailable": LATER["unavailable"]})

_OF_CALL: Final[Mapping[str, MappingProxyType[str, int]]] = {
    "track": refusals.TRACK,
    "group": refusals.GROUP,
    "alias": refusals.ALIAS,
}

_OF_ITEMS = EVENT | refusals.TRACK | refusals.GROUP | refusals.ALIAS | refusals.ITEM
ITEM_CODES: Final = sorted({*_OF_ITEMS, "too_large"})
"""Why one item of many is no event; the others are taken"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One path and method.

    name:     unique; programs call it so
    sent:     the schema of what is sent; empty if nothing is
    answers:  what it gives back when it works, by services/ingest/contract/openapi.py
    codes:    code → status of all that it may refuse with
    """

    path: str
    method: Literal["get", "post"]
    name: str
    says: str
    proof: Proof
    sent: str
    answers: str
    codes: Mapping[str, int]


def operations() -> Iterator[Operation]:
    """All of them, in the order in which one reads about them."""
    for path in app.BATCH_PATHS:
        yield _post(path, "batch", "Many calls at once; a bad one costs only itself.", _batch_codes())
    for path, type_ in app.CALL_PATHS.items():
        yield _post(path, type_, f"One {type_} call.", _call_codes(type_))
    yield Operation(
        path=app.FORM_PATH,
        method="post",
        name="form",
        says="One submit of a form of sources.yaml. The form's name is its proof, and the page it is on.",
        proof="origin",
        sent="form",
        answers="form",
        codes=_form_codes(),
    )
    yield Operation(
        path=app.HOOK_PATH,
        method="post",
        name="webhook",
        says="Events of a provider, as it sends them. Refused as a whole only without a valid signature.",
        proof="signature",
        sent="webhook",
        answers="accepted",
        codes=refusals.NAMED_HOOK | refusals.SIGNATURE | refusals.BODY | BUSY | refusals.OURS,
    )
    yield _get(
        app.HOOK_PATH, "probe", "What a provider asks before it takes an address.", refusals.NAMED_HOOK
    )
    yield _get(app.SNIPPET_PATH, "snippet", "The tracking snippet for websites.", {})
    yield _get(app.SETTINGS_PATH, "settings", "What Segment's browser SDK starts with.", refusals.KEY)
    yield _get(app.THANKS_PATH, "thanks", "Where a browser goes after a form without a page of its own.", {})


def _batch_codes() -> Mapping[str, int]:
    whole = {name: refusals.JSON[name] for name in ("invalid_json", "too_deep")}
    return refusals.KEY | refusals.BODY | refusals.BATCH | whole | LATER | refusals.OURS


def _call_codes(type_: str) -> Mapping[str, int]:
    own = _OF_CALL.get(type_, MappingProxyType({}))
    return refusals.KEY | refusals.BODY | EVENT | own | LATER | refusals.OURS


def _form_codes() -> Mapping[str, int]:
    body = refusals.BODY | refusals.FORM | refusals.JSON
    return refusals.NAMED_FORM | ORIGIN | body | refusals.PERSON | LATER | refusals.OURS


def _post(path: str, sent: str, says: str, codes: Mapping[str, int]) -> Operation:
    """A call or a batch; one thing has several paths, and a name for each."""
    own = path.strip("/").removeprefix("v1/").replace("/", "_")
    return Operation(
        path=path,
        method="post",
        name=sent if own == sent else f"{sent}_{own}",
        says=says,
        proof="key",
        sent=sent,
        answers="accepted",
        codes=codes,
    )


def _get(path: str, name: str, says: str, codes: Mapping[str, int]) -> Operation:
    return Operation(
        path=path,
        method="get",
        name=name,
        says=says,
        proof="nothing",
        sent="",
        answers=name,
        codes=codes,
    )
