"""Kafka and PostgreSQL as a company runs them: TLS by an authority of its own, and passwords.

In: a folder. Out: their addresses, for as long as the block lasts. The servers are the embedded ones.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.cli.local import jars, java
from services.cli.local.kafka import KafkaServer
from services.cli.local.postgres import PostgresServer
from tests.deploy.certificates import Authority
from tests.ports import free_port
from tests.servers import JARS

USER: Final = "leadscore"
STRANGER: Final = "stranger"
PASSWORD: Final = "a password of the tests"
_LOGIN: Final = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brokers:
    """One broker with three doors."""

    ssl: str
    sasl_ssl: str
    mutual: str


@asynccontextmanager
async def kafka(folder: Path, ca: Authority) -> AsyncIterator[Brokers]:
    """A broker with TLS, with TLS and a login (SCRAM and PLAIN), and with TLS that wants our certificate.

    STRANGER may log in (PLAIN, same password) and nothing else.
    """
    plain, controller, *doors = (free_port() for _ in range(5))
    names = ("SSL", "SASL_SSL", "MUTUAL")
    server = KafkaServer(
        folder / "kafka",
        cache=JARS,
        wished_ports=(plain, controller),
        more=_properties(folder, ca, (plain, controller), dict(zip(names, doors, strict=True))),
    )
    try:
        await server.start()
        _add_user(f"127.0.0.1:{plain}")
        ssl, sasl_ssl, mutual = (f"127.0.0.1:{port}" for port in doors)
        yield Brokers(ssl=ssl, sasl_ssl=sasl_ssl, mutual=mutual)
    finally:
        await server.stop()


def _properties(folder: Path, ca: Authority, own: tuple[int, int], doors: dict[str, int]) -> dict[str, str]:
    certificate, key = ca.sign(folder, "broker")
    both = folder / "broker.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    listeners = {"PLAINTEXT": own[0], "CONTROLLER": own[1], **doors}
    return {
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,MUTUAL:SSL"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca.file),
        "listener.name.mutual.ssl.client.auth": "required",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:CN=client;User:{USER}",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            f"{_LOGIN}.scram.ScramLoginModule required;"
        ),
        "listener.name.sasl_ssl.plain.sasl.jaas.config": (
            f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}" user_{STRANGER}="{PASSWORD}";'
        ),
    }


def _add_user(address: str) -> None:
    """Make the user as an operator does it, with kafka-configs."""
    classpath = os.pathsep.join(map(str, jars.provide(JARS, jars.wanted())))
    tool = [str(java.find().program), "-Xmx64m", "-cp", classpath, "kafka.admin.ConfigCommand"]
    change = ["--alter", "--add-config", f"SCRAM-SHA-512=[iterations=4096,password={PASSWORD}]"]
    whom = ["--bootstrap-server", address, "--entity-type", "users", "--entity-name", USER]
    subprocess.run([*tool, *whom, *change], check=True, capture_output=True, timeout=60)


def postgres_with_tls() -> Path | None:
    """Programs of a PostgreSQL that was built with OpenSSL; the embedded one was not."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        program = folder / "postgres"
        if program.exists() and b"SSL_CTX_new" in program.read_bytes():
            return folder
    return None


@asynccontextmanager
async def postgres(ca: Authority, programs: Path) -> AsyncIterator[str]:
    """The URL of a server that takes nobody without TLS."""
    # Not below pytest's folder: run for root, Debian's initdb has to be able to walk to its data.
    folder = Path(tempfile.mkdtemp(prefix="leadscore-tls-"))
    os.chmod(folder, 0o755)  # noqa: PTH101 - pathlib would count as blocking, and this does not
    server = PostgresServer(folder, environment={**os.environ, "LEADSCORE_PG_BIN": str(programs)})
    try:
        await server.start()
        await server.stop()
        data = folder / "data"
        owner = data.stat()
        for source, name in zip(
            ca.sign(ca.file.parent, "postgres"), ("server.crt", "server.key"), strict=True
        ):
            shutil.copy(source, data / name)
            os.chown(data / name, owner.st_uid, owner.st_gid)
            (data / name).chmod(0o600)
        with (data / "postgresql.conf").open("a") as settings:
            settings.write("ssl = on\n")
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
        yield await server.start()
    finally:
        await server.stop()
        shutil.rmtree(folder)
