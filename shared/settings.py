"""Environment → frozen settings, with every mistake reported at once.

In: environment variables (names and reasons: deploy/config/reference.env). Out: one frozen pydantic
object per service. Refuses to start on a mistake (`Misconfigured` lists them all), and never shows a
secret: secrets are `SecretStr` and print as stars.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import Misconfigured

Port = Annotated[int, Field(ge=0, le=65535)]
PositiveS = Annotated[float, Field(gt=0, le=86_400)]


class ServiceSettings(BaseSettings):
    """What every service reads. A service adds its own fields under its own prefix."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="LEADSCORE_LOG_LEVEL", description="How much to log."
    )
    traces_endpoint: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="OpenTelemetry collector (OTLP over HTTP) that takes traces; empty: there are none.",
    )
    traces_ratio: float = Field(
        default=0.01,
        ge=0,
        le=1,
        validation_alias="OTEL_TRACES_SAMPLER_ARG",
        description="Share of requests that are traced, where the sender's traceparent does not say it.",
    )


class KafkaSettings(BaseSettings):
    """Where Kafka is and how to log in. Mixed into the settings of the services that use it."""

    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092",
        min_length=3,
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="host:port, several by comma. Set it and no Kafka is started.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        validation_alias="KAFKA_SECURITY_PROTOCOL",
        description="How connections are secured.",
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512",
        validation_alias="KAFKA_SASL_MECHANISM",
        description="How to log in where the security protocol says SASL.",
    )
    kafka_sasl_username: str = Field(
        default="", validation_alias="KAFKA_SASL_USERNAME", description="User name for SASL."
    )
    kafka_sasl_password: SecretStr = Field(
        default=SecretStr(""), validation_alias="KAFKA_SASL_PASSWORD", description="Password for SASL."
    )
    kafka_ssl_cafile: str = Field(
        default="",
        validation_alias="KAFKA_SSL_CAFILE",
        description="CA certificate (PEM file) where Kafka's is not signed by a public one.",
    )
    kafka_ssl_certfile: str = Field(
        default="",
        validation_alias="KAFKA_SSL_CERTFILE",
        description="Our certificate (PEM file) where Kafka knows its clients by theirs.",
    )
    kafka_ssl_keyfile: str = Field(
        default="",
        validation_alias="KAFKA_SSL_KEYFILE",
        description="Key of our certificate (PEM file, without a password).",
    )
    topic_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]*$",
        validation_alias="LEADSCORE_TOPIC_PREFIX",
        description="Put before every topic name, for several installations on one cluster.",
    )


class TopicSettings(KafkaSettings):
    """How long Kafka keeps what: for whoever makes or checks the topics."""

    topic_events_days: int = Field(
        default=14,
        ge=1,
        le=3650,
        validation_alias="LEADSCORE_RETENTION_TOPIC_EVENTS_DAYS",
        description="Days that Kafka keeps events: the oldest backup that can be restored without loss.",
    )
    topic_rejected_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        validation_alias="LEADSCORE_RETENTION_TOPIC_REJECTED_DAYS",
        description="Days that Kafka keeps what ingest rejected, so that it can be mended and sent again.",
    )
    topic_sales_days: int = Field(
        default=14,
        ge=1,
        le=3650,
        validation_alias="LEADSCORE_RETENTION_TOPIC_SALES_DAYS",
        description="Days that Kafka keeps the sales queue.",
    )


class DatabaseSettings(BaseSettings):
    """Where Postgres is. Mixed into the settings of the services that use it."""

    database_url: SecretStr = Field(
        default=SecretStr("postgresql://postgres@127.0.0.1:5432/leadscore"),
        validation_alias="DATABASE_URL",
        description="postgresql://user:password@host:port/name. Set it and no Postgres is started.",
    )


Settings = TypeVar("Settings", bound=BaseSettings)


def load(settings: type[Settings], environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of one service.

        environment: the variables to read instead of the process's own (tests, `leadscore up`)

    Raises Misconfigured with one line per mistake: the variable, what is wrong, the value seen
    (never for secrets) and what the variable is for.
    """
    try:
        if environment is None:
            return settings()
        return settings.model_validate(_pick(settings, environment))
    except ValidationError as error:
        problems = [
            _explain(settings, detail["loc"], detail["msg"], detail["input"]) for detail in error.errors()
        ]
        raise Misconfigured("The settings are wrong:", problems) from error


def variables(settings: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo]]:
    """Each environment variable of these settings with its field: default, description, secret or not."""
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        yield str(field.validation_alias or f"{prefix}{name}".upper()), field


def describe(settings: BaseSettings) -> dict[str, str]:
    """The effective settings for a person to read: variable → value, secrets masked."""
    names = {
        name: variable
        for (variable, _), name in zip(variables(type(settings)), type(settings).model_fields, strict=True)
    }
    return {names[name]: str(value) for name, value in settings}


def _pick(settings: type[BaseSettings], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that belong to these settings, keyed as pydantic expects them."""
    picked = {}
    for (variable, field), name in zip(variables(settings), settings.model_fields, strict=True):
        if environment.get(variable):
            picked[str(field.validation_alias or name)] = environment[variable]
    return picked


def _explain(settings: type[BaseSettings], loc: tuple[int | str, ...], message: str, seen: object) -> str:
    """One mistake as a sentence: variable, fault, value seen, purpose."""
    wanted = str(loc[0]).upper() if loc else "?"
    for variable, field in variables(settings):
        if variable == wanted or variable.endswith(f"_{wanted}"):
            secret = field.annotation is SecretStr or isinstance(seen, SecretStr)
            value = "a secret, not shown" if secret else repr(seen)
            return f"{variable}: {message}; seen: {value}. {field.description or ''}".rstrip()
    return f"{wanted}: {message}"
