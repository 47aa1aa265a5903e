"""Settings: all mistakes at once, no secret shown."""

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.errors import Misconfigured
from shared.settings import DatabaseSettings, KafkaSettings, Port, ServiceSettings, describe, load, variables


class SampleSettings(ServiceSettings, KafkaSettings, DatabaseSettings):
    model_config = SettingsConfigDict(env_prefix="LEADSCORE_SAMPLE_")

    key: SecretStr = Field(min_length=16, description="A secret.")
    port: Port = Field(default=80, description="Where to listen.")


GOOD = {"LEADSCORE_SAMPLE_KEY": "0123456789abcdef"}


def test_values_come_from_the_environment() -> None:
    """Prefixed and shared variables are read, defaults fill the rest."""
    settings = load(SampleSettings, {**GOOD, "LEADSCORE_SAMPLE_PORT": "81", "KAFKA_BOOTSTRAP_SERVERS": "k:9"})
    assert (settings.port, settings.kafka_bootstrap_servers, settings.log_level) == (81, "k:9", "info")


def test_the_process_environment_is_read_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an explicit environment the process's own is used."""
    for name, value in {**GOOD, "LEADSCORE_LOG_LEVEL": "debug"}.items():
        monkeypatch.setenv(name, value)
    assert load(SampleSettings).log_level == "debug"


def test_every_mistake_is_reported_at_once() -> None:
    """Three mistakes give three lines, each naming its variable and the value seen."""
    with pytest.raises(Misconfigured) as caught:
        load(SampleSettings, {"LEADSCORE_SAMPLE_PORT": "99999", "LEADSCORE_LOG_LEVEL": "loud"})
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "LEADSCORE_SAMPLE_KEY" in text
    assert "LEADSCORE_SAMPLE_PORT" in text
    assert "'99999'" in text
    assert "'loud'" in text


def test_a_wrong_secret_is_not_shown() -> None:
    """The message about a secret never contains it."""
    with pytest.raises(Misconfigured) as caught:
        load(SampleSettings, {"LEADSCORE_SAMPLE_KEY": "too-short"})
    assert "too-short" not in str(caught.value)
    assert "not shown" in str(caught.value)


def test_describe_masks_secrets() -> None:
    """Printing the effective settings shows stars for secrets and values for the rest."""
    shown = describe(load(SampleSettings, GOOD))
    assert "0123456789abcdef" not in str(shown)
    assert shown["LEADSCORE_SAMPLE_PORT"] == "80"


def test_every_setting_says_what_it_is_for() -> None:
    """A variable without a description cannot be explained when it is wrong."""
    assert all(field.description for _, field in variables(SampleSettings))
