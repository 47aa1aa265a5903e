"""What browsers fetch."""

import httpx
import pytest


@pytest.mark.asyncio
async def test_the_snippet_is_small_and_cached(browser: httpx.AsyncClient) -> None:
    """Under 6 KB over the wire, JavaScript by its type, an hour in caches, for every page."""
    answer = await browser.get("/leadscore.js", headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert int(answer.headers["content-length"]) < 6_000
    plain = await browser.get("/leadscore.js", headers={"accept-encoding": "identity"})
    assert plain.text == answer.text
    assert "content-encoding" not in plain.headers


@pytest.mark.asyncio
async def test_a_browser_that_has_the_snippet_keeps_it(browser: httpx.AsyncClient) -> None:
    """The ETag is of the content."""
    etag = (await browser.get("/leadscore.js")).headers["etag"]
    assert (await browser.get("/leadscore.js", headers={"if-none-match": etag})).status_code == 304
    assert (await browser.get("/leadscore.js", headers={"if-none-match": '"old"'})).status_code == 200
