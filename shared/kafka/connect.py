"""How to reach Kafka, from settings to the arguments of every aiokafka client.

In: `KafkaSettings`. Out: `Connection`, and a sentence on why a broker and we do not come together.
Refuses settings that do not fit together: a password that would go nowhere, a CA that nobody would ask.
"""

import asyncio
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from shared import tls
from shared.errors import Misconfigured
from shared.settings import KafkaSettings, TopicSettings
from shared.topics import Topics

_HANDSHAKE_S: Final = 5.0
_TLS_WAYS: Final = (
    "KAFKA_SSL_CAFILE names the CA that signed its certificate, KAFKA_BOOTSTRAP_SERVERS the name in it"
)
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w-]+(\.[\w-]+)*\.?):[0-9]{1,5}")
_NO_LOGIN: Final = (AuthenticationFailedError, SaslAuthenticationFailed, UnsupportedSaslMechanismError)
_LOGIN_WAYS: Final = "See KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM"


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

    Raises Misconfigured with all that does not fit together.
    """
    if mistakes := list(_mistakes(settings)):
        raise Misconfigured("The settings of Kafka do not fit together:", mistakes)
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {"security_protocol": protocol}
    if protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    if protocol.endswith("SSL"):
        options["ssl_context"] = _tls(settings)
    return Connection(
        bootstrap_servers=settings.kafka_bootstrap_servers, client_id=client_id, options=options
    )


async def refusal(connection: Connection) -> str:
    """Why the first broker and we do not come together, empty if it is neither TLS nor the login.

    aiokafka only says that it found no broker.
    """
    host, _, port = connection.bootstrap_servers.split(",")[0].strip().rpartition(":")
    try:
        async with asyncio.timeout(_HANDSHAKE_S):
            opened = await create_conn(host, int(port), client_id=connection.client_id, **connection.options)
    except ssl.SSLError as error:
        return f"Kafka at {host}:{port} cannot be trusted: {tls.reason(error)} {_TLS_WAYS}."
    except _NO_LOGIN as error:
        how = (connection.options["sasl_mechanism"], connection.options["sasl_plain_username"])
        return f"Kafka at {host}:{port} lets nobody in by {how[0]} as {how[1]}: {error}. {_LOGIN_WAYS}."
    except (KafkaError, OSError, ValueError, TimeoutError):
        return ""
    opened.close()
    return ""


def _mistakes(settings: KafkaSettings) -> Iterator[str]:
    for address in settings.kafka_bootstrap_servers.split(","):
        if not _ADDRESS.fullmatch(address.strip()):
            yield f'KAFKA_BOOTSTRAP_SERVERS has "{address.strip()}". host:port, several by comma, would work.'
    protocol = settings.kafka_security_protocol
    if protocol.startswith("SASL") and not settings.kafka_sasl_username:
        yield f"KAFKA_SECURITY_PROTOCOL is {protocol}, KAFKA_SASL_USERNAME is empty. Set user and password."
    if settings.kafka_sasl_username and not protocol.startswith("SASL"):
        yield (
            f"KAFKA_SASL_USERNAME is set, and KAFKA_SECURITY_PROTOCOL={protocol} does not log in. "
            "Set it to SASL_SSL, or take the user out."
        )
    files = (settings.kafka_ssl_cafile, settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
    if any(files) and not protocol.endswith("SSL"):
        yield (
            f"KAFKA_SSL_… is set, and KAFKA_SECURITY_PROTOCOL={protocol} does not encrypt. "
            "Set it to SSL or SASL_SSL, or take the files out."
        )
    if bool(settings.kafka_ssl_certfile) != bool(settings.kafka_ssl_keyfile):
        yield "KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE belong together. Set both, or none."


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    """TLS that checks the broker's certificate and name."""
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile or None)
        if settings.kafka_ssl_certfile:
            context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
    except OSError as error:
        files = (settings.kafka_ssl_cafile, settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
        named = ", ".join(file for file in files if file)
        raise Misconfigured(
            "The files of KAFKA_SSL_… cannot be used:",
            [f"{tls.reason(error)} Seen: {named}. PEM files that this user may read would work."],
        ) from error
    return context


def topics(settings: KafkaSettings) -> Topics:
    """The topic names of this installation."""
    return Topics(prefix=settings.topic_prefix)


def kept_topics(settings: TopicSettings) -> Topics:
    """The topics of this installation with how long they are kept, for whoever makes or checks them."""
    return Topics(
        prefix=settings.topic_prefix,
        events_days=settings.topic_events_days,
        rejected_days=settings.topic_rejected_days,
        sales_days=settings.topic_sales_days,
    )
