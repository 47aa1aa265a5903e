"""The tracking snippet, run by node in a page without a browser (tests/ingest/snippet/page.js)."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.testing import MemoryBroker
from tests.ingest.senders import SITE, WEBSITE_KEY, events

NODE = shutil.which("node")
SNIPPET = Path(__file__).parents[2] / "services/ingest/snippet/leadscore.js"
PAGE = Path(__file__).parent / "snippet/page.js"

pytestmark = pytest.mark.skipif(
    NODE is None, reason="the snippet's behaviour needs node to run: install Debian's nodejs to test it"
)


def visit(*steps: str | int, **scenario: Any) -> dict[str, Any]:
    """A page with the snippet: what it sent and stored after these steps (code, or milliseconds to wait)."""
    assert NODE is not None
    text = json.dumps({"steps": steps, **scenario})
    done = subprocess.run(
        [NODE, PAGE, SNIPPET, text], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def sent(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Every event that left the page, in order."""
    return [event for request in page["sent"] for event in request["body"]["batch"]]


def names(page: dict[str, Any]) -> list[str]:
    """Type, or the track's own name, of every event that left."""
    return [event.get("event") or event["type"] for event in sent(page)]


def test_a_page_view_is_sent_by_itself() -> None:
    """One request without a preflight: text/plain, the key in the body, no credentials needed."""
    page = visit()
    (request,) = page["sent"]
    assert request["url"] == "https://events.shop.example/v1/b"
    assert (request["type"], request["keepalive"]) == ("text/plain", True)
    assert request["body"]["writeKey"] == "website-key"
    (event,) = request["body"]["batch"]
    assert event["type"] == "page"
    assert event["context"]["page"] == {
        "url": "https://www.shop.example/start?utm_source=google",
        "path": "/start",
        "title": "Shop",
        "referrer": "https://www.google.com/",
    }
    assert event["messageId"]
    assert event["timestamp"].endswith("Z")
    assert event["anonymousId"] == page["storage"]["leadscore_id"]
    assert page["cookies"] == f"leadscore_id={event['anonymousId']}"


def test_calls_made_before_it_loaded_are_done() -> None:
    """The queue stub: what was pushed while the script was on its way comes first, in order."""
    before = [["identify", "u1", {"email": "a@example.com"}], ["track", "Signed Up", {"plan": "pro"}]]
    page = visit(before=before)
    assert names(page) == ["identify", "Signed Up", "page"]
    identify, track, _ = sent(page)
    assert identify["traits"] == {"email": "a@example.com"}
    assert track["userId"] == "u1"
    assert track["properties"] == {"plan": "pro"}


def test_history_changes_are_page_views() -> None:
    """A page that changes its address without loading is viewed anew; the same address is not."""
    page = visit('go("/pricing")', 'go("/pricing")', 'go("/pricing#faq")')
    assert [event["context"]["page"]["path"] for event in sent(page)] == ["/start", "/pricing"]
    assert sent(page)[1]["context"]["page"]["referrer"] == "https://www.shop.example/start?utm_source=google"


def test_the_same_visitor_comes_back() -> None:
    """The anonymous id and the user id are found again."""
    stored = {"leadscore_id": "visitor-1", "leadscore_user": "u1"}
    page = visit(stored=stored)
    assert (sent(page)[0]["anonymousId"], sent(page)[0]["userId"]) == ("visitor-1", "u1")


def test_a_form_with_an_address_is_captured() -> None:
    """Fields of the allow-list are traits; nothing else of the form leaves the page."""
    fields = '{email: "a@example.com", company: "ACME", card: "4111", note: "private", title: "x"}'
    page = visit(f'fire("submit", {{target: form({fields}, {{name: "demo-request"}}, {{title: "hidden"}})}})')
    event = sent(page)[-1]
    assert (event["event"], event["properties"]) == ("form.submitted", {"form": "demo-request"})
    assert event["context"]["traits"] == {"email": "a@example.com", "company": "ACME"}


@pytest.mark.parametrize(
    "form",
    [
        'form({q: "shoes"})',
        'form({email: "a@example.com", password: "x"}, {}, {password: "password"})',
        'form({email: "a@example.com"}, {"data-leadscore": "off"})',
        'form({email: "a@example.com"}, {}, {email: "hidden"})',
    ],
)
def test_other_forms_are_not(form: str) -> None:
    """Searches, logins, forms that opted out, hidden fields."""
    assert names(visit(f'fire("submit", {{target: {form}}})')) == ["page"]


def test_a_form_that_posts_to_ingest_gets_the_visitors_id() -> None:
    """Such a form is not sent twice: its hidden fields tell ingest who it was and where."""
    own = '{own: {action: "https://events.shop.example/v1/forms/contact"}}'
    page = visit(
        f'globalThis.ours = form({{email: "a@example.com"}}, {own})',
        'fire("submit", {target: ours})',
        "ours.added",
    )
    assert names(page) == ["page"]
    added = dict(page["results"][2])
    assert added["anonymous_id"] == page["storage"]["leadscore_id"]
    assert added["page_url"] == "https://www.shop.example/start?utm_source=google"


@pytest.mark.parametrize("scenario", [{"nav": {"globalPrivacyControl": True}}, {"tag": {"consent": "ask"}}])
def test_without_consent_nothing_is_stored_and_nobody_followed(scenario: dict[str, Any]) -> None:
    """Privacy Control, or not asked yet: only what names a person is sent, without a visitor id."""
    page = visit(
        'window.leadscore.track("Clicked")', 'window.leadscore.push(["identify", "u1", {}])', **scenario
    )
    assert names(page) == ["identify"]
    assert "anonymousId" not in sent(page)[0]
    assert (page["storage"], page["cookies"]) == ({}, "")


def test_consent_starts_it_and_its_end_forgets() -> None:
    """After the answer the page view is sent with the purposes; after a withdrawal nothing is left."""
    given = visit('window.leadscore.push(["consent", {marketing: true, ads: false}])', tag={"consent": "ask"})
    assert names(given) == ["page"]
    assert sent(given)[0]["context"]["consent"] == {"marketing": True, "ads": False}
    withdrawn = visit("window.leadscore.consent(false)", 'window.leadscore.track("x")')
    assert names(withdrawn) == ["page"]
    assert (withdrawn["storage"], withdrawn["cookies"]) == ({}, "")
    refused = visit("window.leadscore.consent({marketing: false})", tag={"consent": "ask"})
    assert (sent(refused), refused["storage"]) == ([], {})


def test_global_privacy_control_outweighs_a_banner() -> None:
    """A browser that says no is not asked again."""
    page = visit("window.leadscore.consent(true)", nav={"globalPrivacyControl": True})
    assert (sent(page), page["storage"]) == ([], {})


@pytest.mark.parametrize(
    ("answer", "wait_ms"),
    [({"status": 503, "retryAfter": "30"}, 30_000), ({"status": 500}, 2_000), ({"status": 0}, 2_000)],
)
def test_what_failed_is_sent_again(answer: dict[str, Any], wait_ms: int) -> None:
    """Kept in storage, sent again after Retry-After or a backoff, under the same message id."""
    early = visit(wait_ms - 500, answers=[answer])
    assert len(early["sent"]) == 1
    assert len(json.loads(early["storage"]["leadscore_queue"])) == 1
    later = visit(wait_ms + 500, answers=[answer])
    first, again = sent(later)
    assert first["messageId"] == again["messageId"]
    assert json.loads(later["storage"]["leadscore_queue"]) == []


def test_what_was_refused_is_not_sent_again() -> None:
    """A 4xx is final."""
    page = visit(120_000, answers=[{"status": 401}])
    assert len(page["sent"]) == 1


def test_a_left_queue_is_sent_on_the_next_page() -> None:
    """What an earlier page could not send goes with the first request of this one."""
    left = [{"type": "track", "event": "earlier", "messageId": "m0", "anonymousId": "v"}]
    assert names(visit(stored={"leadscore_queue": json.dumps(left)})) == ["earlier", "page"]


def test_leaving_sends_what_is_left() -> None:
    """A beacon takes what no request has taken yet, and it is not sent twice."""
    page = visit('window.leadscore.track("Left"); fire("pagehide")', 5_000)
    assert [request["via"] for request in page["sent"]] == ["fetch", "beacon"]
    assert names(page) == ["page", "Left"]


def test_after_a_failure_leaving_forgets_nothing() -> None:
    """A beacon that the browser takes may be lost as the request was: the next page sends it once more."""
    page = visit('window.leadscore.track("Left")', 200, 'fire("pagehide")', answers=[{"status": 503}] * 2)
    assert [request["via"] for request in page["sent"]] == ["fetch", "fetch", "beacon"]
    left = [event.get("event") or event["type"] for event in json.loads(page["storage"]["leadscore_queue"])]
    assert left == ["page", "Left"]


def test_leaving_does_not_repeat_what_is_on_its_way() -> None:
    """While a request has not been answered yet, the beacon takes only what came later."""
    page = visit('window.leadscore.track("Left"); fire("pagehide")', answers=[{"status": "never"}])
    assert [request["via"] for request in page["sent"]] == ["fetch", "beacon"]
    assert names(page) == ["page", "Left"]


def test_automated_browsers_say_so() -> None:
    """The webdriver flag travels to the scorer, which knows what to do."""
    assert sent(visit(nav={"webdriver": True}))[0]["context"]["webdriver"] is True


@pytest.mark.asyncio
async def test_ingest_takes_what_the_snippet_sends(browser: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """The page's own requests, byte for byte, become our events."""
    page = visit(
        'fire("submit", {target: form({email: "a@example.com", name: "Ann"}, {name: "contact"})})',
        tag={"key": WEBSITE_KEY},
    )
    for request in page["sent"]:
        headers = {"content-type": request["type"], "origin": SITE}
        answer = await browser.post("/v1/b", content=json.dumps(request["body"]), headers=headers)
        assert answer.json() == {"success": True, "accepted": 1, "rejected": 0}
    viewed, submitted = events(broker)
    assert viewed["name"] == "page.viewed"
    assert (submitted["name"], submitted["email"]) == ("form.submitted", "a@example.com")
    assert submitted["traits"] == {"email": "a@example.com", "name": "Ann"}
    assert submitted["anonymous_id"] == viewed["anonymous_id"] == page["storage"]["leadscore_id"]


def test_a_log_out_loses_nothing() -> None:
    """What the last visitor did is sent as theirs; the next one is somebody else."""
    page = visit('window.leadscore.track("Signed Out"), window.leadscore.reset(), window.leadscore.page()')
    assert names(page) == ["page", "Signed Out", "page"]
    first, last, other = (event["anonymousId"] for event in sent(page))
    assert first == last != other
