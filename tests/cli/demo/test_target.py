"""Where the demo goes."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.cli.demo.target import read_keys, target
from shared.errors import Misconfigured

_PRIVATE = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
)
KNOWN = {
    "LEADSCORE_INGEST_PORT": "8090",
    "LEADSCORE_INGEST_ADMIN_PORT": "8091",
    "LEADSCORE_KEY_PRODUCT": "sec_0123456789abcdef",
    "LEADSCORE_KEY_WEBSITE": "pub_0123456789abcdef",
    "LEADSCORE_DEMO_MAIL_KEY": base64.b64encode(_PRIVATE).decode(),
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
}


def test_the_noted_installation() -> None:
    """What `leadscore up` noted is enough to send and to look."""
    found = target(KNOWN)
    assert found.address.ingest == "http://127.0.0.1:8090"
    assert found.metrics_url == "http://127.0.0.1:8091/metrics"
    assert found.address.server_key == "sec_0123456789abcdef"
    assert found.database_url == KNOWN["DATABASE_URL"]


def test_another_host() -> None:
    """`--host` replaces where events are sent, and nothing else."""
    found = target(KNOWN, host="https://in.example.com")
    assert found.address.ingest == "https://in.example.com"
    assert found.metrics_url == "http://127.0.0.1:8091/metrics"


def test_metrics_of_another_host() -> None:
    """Ingest's counters are read where its admin port is."""
    assert (
        target(KNOWN | {"LEADSCORE_INGEST_ADMIN_HOST": "10.0.0.7"}).metrics_url
        == "http://10.0.0.7:8091/metrics"
    )


def test_nothing_is_running() -> None:
    """Without any note of a running Leadscore, one sentence says what to do first."""
    with pytest.raises(Misconfigured, match="`make run` first") as refused:
        target({})
    assert "\n" not in str(refused.value)


def test_everything_missing_is_named_at_once() -> None:
    """With a host but without keys, every missing name is on one list."""
    with pytest.raises(Misconfigured) as refused:
        target({}, host="http://127.0.0.1:1")
    assert set(refused.value.problems) == set(KNOWN) - {"LEADSCORE_INGEST_PORT"}


@pytest.mark.parametrize("written", ["nonsense", base64.b64encode(b"nonsense").decode(), "äöü"])
def test_a_wrong_signing_key_is_refused_and_not_shown(written: str) -> None:
    """What is no private key is refused, and its text is in no message."""
    with pytest.raises(Misconfigured, match="no P-256 private key") as refused:
        target({**KNOWN, "LEADSCORE_DEMO_MAIL_KEY": written})
    assert written not in str(refused.value)


def test_a_key_of_another_kind_is_refused() -> None:
    """A key that could not have signed SendGrid's webhooks is refused."""
    other = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(Misconfigured, match="no P-256 private key"):
        target({**KNOWN, "LEADSCORE_DEMO_MAIL_KEY": base64.b64encode(other).decode()})


def test_keys_file() -> None:
    """A keys file has NAME=value lines; comments, empty lines and other text are left out."""
    assert read_keys("# a=b\n\nA=1\n B=2=3 \nnothing\n") == {"A": "1", "B": "2=3"}
