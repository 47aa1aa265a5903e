"""The reference for ingest: an ASGI app that hands the body to Kafka with acks=all and answers 200.

In: `KAFKA_BOOTSTRAP_SERVERS`, a port, a topic. Out: as much HTTP → Kafka as Python, uvicorn and aiokafka can
do. Refuses every service: no keys, no JSON, no checks. Server and producer have the same options as ingest.

    python -m benchmarks.bare <port> <topic>
"""

import os
import sys
from typing import Any, Final

import uvicorn
from aiokafka import AIOKafkaProducer

_BODY: Final = b'{"success":true}'
_HEAD: Final = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


class Bare:
    """The app; its producer starts with it."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._producer is not None:
            await self._produce(self._producer, receive)
            await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
            await send({"type": "http.response.body", "body": _BODY})

    async def _produce(self, producer: AIOKafkaProducer, receive: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await producer.send_and_wait(self._topic, body)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
            acks="all",
            enable_idempotence=True,
            linger_ms=2,
            max_batch_size=262_144,
        )
        await self._producer.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._producer.stop()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    uvicorn.run(
        Bare(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
    )
