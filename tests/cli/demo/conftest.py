"""A real HTTP server that writes down what it gets, and a database to look into."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from services.cli.demo.rows import Row, read
from services.cli.demo.send import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came."""

    path: str
    headers: Message
    body: bytes


@dataclass(slots=True, kw_only=True)
class Listener:
    """A server on a free port: what it got, what it answers."""

    url: str
    status: int = 200
    got: list[Request] = field(default_factory=list)


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """All rows of the demo's data; reading them takes a while."""
    return read()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A running `Listener`."""
    state = Listener(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.got.append(Request(path=self.path, headers=self.headers, body=body))
            answer = b'{"code": "no", "message": "no"}' if state.status >= 400 else b'{"success": true}'
            self.send_response(state.status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
            """Nothing: the test looks at `got`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def address(listener: Listener) -> Address:
    """What the senders need to send to the listener."""
    return Address(
        ingest=listener.url,
        server_key="server-key-0123456789",
        site_key="site-key-0123456789",
        mail_source="mail",
        mail_key=ec.generate_private_key(ec.SECP256R1()),
    )
