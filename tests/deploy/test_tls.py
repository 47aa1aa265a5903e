"""Kafka and Postgres over TLS, by settings alone: what is asked for is checked, and what fails is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import make_url

from services.cli.migrate import upgrade
from services.cli.topics import ensure
from shared import database as databases
from shared.errors import Misconfigured, Transient
from shared.kafka.connect import connection
from shared.settings import KafkaSettings, load
from shared.topics import Topics
from tests.deploy.certificates import Authority, authority
from tests.deploy.secured import PASSWORD, STRANGER, USER, Brokers, kafka, postgres, postgres_with_tls
from tests.installation import PRODUCT_KEY, Servers, running
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Its authority, somebody else's, its servers; `postgres` is empty where none with TLS is installed."""

    ca: Authority
    other: Authority
    kafka: Brokers
    postgres: str
    folder: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def company(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    """Servers of this module's own."""
    folder = tmp_path_factory.mktemp("company")
    ca, other = authority(folder, "our-authority"), authority(folder, "another-authority")
    async with AsyncExitStack() as started:
        brokers = await started.enter_async_context(kafka(folder, ca))
        programs = postgres_with_tls()
        url = await started.enter_async_context(postgres(ca, programs)) if programs else ""
        yield Company(ca=ca, other=other, kafka=brokers, postgres=url, folder=folder)


@pytest.fixture
def postgres_url(company: Company) -> str:
    """Where the Postgres with TLS is."""
    if not company.postgres:
        pytest.skip("the embedded PostgreSQL has no OpenSSL: apt install postgresql runs this test")
    return company.postgres


def kafka_settings(**changed: str) -> dict[str, str]:
    """Settings with login and TLS, but for what is changed."""
    return {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": PASSWORD,
        **changed,
    }


async def topics_made(address: str, prefix: str, settings: dict[str, str]) -> list[str]:
    """What `leadscore topics` does with these settings."""
    given = load(KafkaSettings, {"KAFKA_BOOTSTRAP_SERVERS": address, **settings})
    return await ensure(connection(given, "test"), Topics(prefix=prefix))


async def test_kafka_with_tls_only(company: Company) -> None:
    """SSL and the CA's file: the broker is checked, and topics are made."""
    settings = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": str(company.ca.file)}
    assert len(await topics_made(company.kafka.ssl, "ssl.", settings)) == 3


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
async def test_kafka_with_a_login(company: Company, mechanism: str) -> None:
    """SASL_SSL with a user and a password."""
    settings = kafka_settings(KAFKA_SSL_CAFILE=str(company.ca.file), KAFKA_SASL_MECHANISM=mechanism)
    assert len(await topics_made(company.kafka.sasl_ssl, f"{mechanism}.", settings)) == 3


async def test_a_kafka_that_does_not_let_us_is_told(company: Company) -> None:
    """Logged in, and no ACL for our topics: the rights that are missing, and exit code 2."""
    settings = kafka_settings(
        KAFKA_SSL_CAFILE=str(company.ca.file), KAFKA_SASL_MECHANISM="PLAIN", KAFKA_SASL_USERNAME=STRANGER
    )
    with pytest.raises(Misconfigured, match="Create, Describe and DescribeConfigs on the three topics"):
        await topics_made(company.kafka.sasl_ssl, "denied.", settings)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN", "SCRAM-SHA-256"])
async def test_a_login_that_fails_is_told(company: Company, mechanism: str) -> None:
    """A wrong password, or a way to log in that the broker does not know; the password is not repeated."""
    settings = kafka_settings(
        KAFKA_SSL_CAFILE=str(company.ca.file),
        KAFKA_SASL_MECHANISM=mechanism,
        KAFKA_SASL_PASSWORD="not-the-word",
    )
    said = rf"lets nobody in by {mechanism} as {USER}: .*KAFKA_SASL_PASSWORD"
    with pytest.raises(Transient, match=said) as refused:
        await topics_made(company.kafka.sasl_ssl, "never.", settings)
    assert "not-the-word" not in str(refused.value)


async def test_kafka_with_a_certificate_of_ours(company: Company) -> None:
    """Where the broker knows clients by their certificates, ours is shown."""
    certificate, key = company.ca.sign(company.folder, "client")
    settings = {
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_SSL_CAFILE": str(company.ca.file),
        "KAFKA_SSL_CERTFILE": str(certificate),
        "KAFKA_SSL_KEYFILE": str(key),
    }
    assert len(await topics_made(company.kafka.mutual, "mutual.", settings)) == 3
    without = {name: value for name, value in settings.items() if "FILE" not in name or "CAFILE" in name}
    with pytest.raises(Transient):
        await topics_made(company.kafka.mutual, "mutual.", without)


@pytest.mark.parametrize(
    ("host", "whose", "said"),
    [
        ("127.0.0.1", "other", "unable to get local issuer certificate"),
        ("localhost", "ca", "Hostname mismatch"),
    ],
    ids=["another authority", "another name"],
)
async def test_a_broker_that_is_somebody_else_is_told(
    company: Company, host: str, whose: str, said: str
) -> None:
    """A certificate of another authority, or for another name: the reason, and the settings to look at."""
    address = company.kafka.sasl_ssl.replace("127.0.0.1", host)
    ca: Authority = getattr(company, whose)
    with pytest.raises(Transient, match=rf"{host}:\d+ cannot be trusted: {said}.* KAFKA_SSL_CAFILE names"):
        await topics_made(address, "never.", kafka_settings(KAFKA_SSL_CAFILE=str(ca.file)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"KAFKA_SASL_USERNAME": "u"}, "KAFKA_SECURITY_PROTOCOL=PLAINTEXT does not log in"),
        ({"KAFKA_SSL_CAFILE": "/ca.pem"}, "KAFKA_SECURITY_PROTOCOL=PLAINTEXT does not encrypt"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_USERNAME is empty"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEYFILE": "/key.pem"},
            "KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE belong together",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "/no/ca.pem"},
            "No such file or directory. Seen: /no/ca.pem",
        ),
    ],
)
async def test_settings_that_do_not_fit_are_refused(settings: dict[str, str], said: str) -> None:
    """Nobody believes to be encrypted, or logged in, who is not."""
    with pytest.raises(Misconfigured, match=said):
        connection(load(KafkaSettings, settings), "test")


def with_tls(url: str, ca: Path, *, host: str = "127.0.0.1") -> str:
    """The URL with the strictest check, as libpq writes it."""
    wanted = {"sslmode": "verify-full", "sslrootcert": str(ca)}
    return make_url(url).set(host=host, query=wanted).render_as_string(hide_password=False)


async def ask(url: str, statement: str) -> object:
    """One value, through a pool of ours."""
    pool = databases.engine(url, application="test", pool_size=1)
    try:
        async with databases.transaction(pool) as connection:
            return await connection.fetchval(statement)
    finally:
        await pool.dispose()


async def test_postgres_with_tls(company: Company, postgres_url: str) -> None:
    """sslmode=verify-full and sslrootcert in DATABASE_URL: the session is encrypted."""
    asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert await ask(with_tls(postgres_url, company.ca.file), asked) is True


@pytest.mark.parametrize(
    ("host", "whose", "said"),
    [
        ("127.0.0.1", "other", "unable to get local issuer certificate"),
        ("localhost", "ca", "Hostname mismatch"),
    ],
    ids=["another authority", "another name"],
)
async def test_a_postgres_that_is_somebody_else_is_told(
    company: Company, postgres_url: str, host: str, whose: str, said: str
) -> None:
    """A certificate of another authority, or for another name: the reason, and where to look."""
    url = with_tls(postgres_url, getattr(company, whose).file, host=host)
    with pytest.raises(Transient, match=f"Postgres cannot be trusted: {said}.* sslrootcert names the CA"):
        await ask(url, "SELECT 1")
    with pytest.raises(Transient, match=said):
        await asyncio.to_thread(upgrade, url)


async def test_a_ca_file_that_is_not_there_is_a_mistake(database: str) -> None:
    """The file in sslrootcert is named; waiting would not bring it."""
    with pytest.raises(Misconfigured, match=r"/no/ca\.pem"):
        await ask(with_tls(database, Path("/no/ca.pem")), "SELECT 1")


async def test_a_postgres_without_tls_is_refused(company: Company, database: str) -> None:
    """Where TLS is asked for and not offered, nothing is sent in the clear."""
    with pytest.raises(Transient, match="Postgres speaks no TLS"):
        await ask(with_tls(database, company.ca.file), "SELECT 1")


async def test_the_whole_path_with_tls(company: Company, postgres_url: str, tmp_path: Path) -> None:
    """Kafka with a login, Postgres with verify-full, by settings alone: an event is counted and routed."""
    url = with_tls(postgres_url, company.ca.file)
    await asyncio.to_thread(upgrade, url)
    settings = kafka_settings(KAFKA_SSL_CAFILE=str(company.ca.file))
    await topics_made(company.kafka.sasl_ssl, "whole.", settings)
    servers = Servers(kafka=company.kafka.sasl_ssl, database=url)
    async with running(servers, Topics(prefix="whole."), tmp_path) as leadscore:
        for service in leadscore.services.values():
            service.environment = {**service.environment, **settings}
        await leadscore.start()
        item = {"userId": "user-1", "event": "Trial Started"}
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"{leadscore.ingest}/v1/track", json=item, auth=(PRODUCT_KEY, ""))
        assert answer.status_code == 200, answer.text
        await until(lambda: leadscore.counted(1), within_s=30)
        assert await leadscore.off() == []
