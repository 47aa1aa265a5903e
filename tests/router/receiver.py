"""A webhook receiver on 127.0.0.1 that keeps what it gets and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook as Verifier

from shared.lifecycle import HttpServer

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OLD_SECRET = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZCE="

Answer = Callable[["Got"], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> Any:
        return msgspec.json.decode(self.body)

    def verified(self, secret: str = SECRET) -> Any:
        """The body, after the package that receivers use has checked the signature."""
        return Verifier(secret).verify(self.body, dict(self.headers))


@dataclass(slots=True, kw_only=True)
class Receiver:
    """answers: what to say to the first requests; after them `fine`.

    hold: while set to an unset event, answers wait for it
    """

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    always: Answer | None = None
    hold: asyncio.Event | None = None
    under_way: int = 0
    most_under_way: int = 0

    async def answer(self, request: Request) -> Response:
        got = Got(path=request.url.path, headers=dict(request.headers), body=await request.body())
        self.got.append(got)
        answer = self.answers.pop(0) if self.answers else self.always or status(200)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.hold is not None:
                await self.hold.wait()
        finally:
            self.under_way -= 1
        return answer(got)


def status(code: int, body: str = "", **headers: str) -> Answer:
    """Answer with this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Response(body, status_code=code, headers=named)


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    app = FastAPI()
    app.add_api_route("/{path:path}", receiver.answer, methods=["GET", "POST"], response_model=None)
    server = HttpServer("receiver", app, host="127.0.0.1", port=0, drain_s=1)
    await server.start()
    receiver.url = f"http://{server.address}/hook"
    try:
        yield receiver
    finally:
        if receiver.hold is not None:
            receiver.hold.set()
        await server.stop()
