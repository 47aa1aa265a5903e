"""How to reach Kafka, from settings to the arguments of every aiokafka client.

In: `KafkaSettings`. Out: `Connection`. Aiokafka says what does not fit, at start.
"""

import ssl
from dataclasses import dataclass
from typing import Any

from shared.settings import KafkaSettings
from shared.topics import Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where Kafka is; the password stays out of the printed form."""

    bootstrap_servers: str
    client_id: str
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"Connection({self.bootstrap_servers}, {self.client_id})"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that producers, consumers and admin clients share."""
        return {"bootstrap_servers": self.bootstrap_servers, "client_id": self.client_id, **self.options}


def connection(settings: KafkaSettings, client_id: str) -> Connection:
    """The connection that these settings describe.

    client_id: what the broker's logs and quotas call us
    """
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {"security_protocol": protocol}
    if protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    if protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ssl_cafile or None)
    return Connection(
        bootstrap_servers=settings.kafka_bootstrap_servers, client_id=client_id, options=options
    )


def topics(settings: KafkaSettings) -> Topics:
    """The topic names of this installation."""
    return Topics(prefix=settings.topic_prefix)
