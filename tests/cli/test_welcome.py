"""What a start tells the person who sees it first."""

import re
from pathlib import Path

from services.cli.installation import Installation
from services.cli.service_ports import WISHES, _other_port
from services.cli.welcome import welcome
from services.scorer.models import model_source
from tests.installation import ROOT

SECRET = "sk-product-secret"
ENVIRONMENT = {
    **{name: str(port) for name, port in WISHES.items()},
    "DATABASE_URL": "postgresql://me:hidden@127.0.0.1:5432/leadscore",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "LEADSCORE_KEY_PRODUCT": SECRET,
    "LEADSCORE_KEY_WEBSITE": "pk-website",
}


def test_the_welcome_shows_no_secret(tmp_path: Path) -> None:
    """The secret key stays in its file, the public one stands where a website needs it."""
    text = welcome(Installation(folder=tmp_path), ENVIRONMENT, "java", 1.0)
    assert SECRET not in text
    assert "hidden" not in text
    assert 'data-key="pk-website"' in text
    assert f'. "{tmp_path}/secrets.env"' in text


def test_another_port_than_the_usual_is_told() -> None:
    """An address copied from the README would reach somebody else's process."""
    told = _other_port("LEADSCORE_INGEST_PORT", 15123, {})
    assert re.match(r"port 8090 (is|was) taken .*: 15123 is used instead", told)
    assert "LEADSCORE_INGEST_PORT" in told


def test_the_first_example_of_the_sdk_earns_points() -> None:
    """The first thing that a person tries must not look broken."""
    guide = (ROOT / "docs" / "guides" / "sending-events.md").read_text()
    [sent] = re.findall(r'client.track\("user-1", "([^"]+)"', guide)
    model = model_source.read(ROOT / "deploy" / "config" / "scoring.yaml").model
    assert any(sent in rule.event.names for rule in model.engagement)
