"""What the router reads from its environment; deploy/config/reference.env says why for each."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.deployed import shipped
from shared.settings import DatabaseSettings, KafkaSettings, Port, PositiveS, ServiceSettings


def _split(value: Any) -> Any:
    """`5, 300` as environment variables spell a list."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


WaitsS = Annotated[
    tuple[PositiveS, ...],
    NoDecode,
    BeforeValidator(_split),
    Field(min_length=1, max_length=50),
]

# 75 h in all: a receiver that breaks on Friday evening can be repaired on Monday morning.
_STANDARD_WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


class RouterSettings(ServiceSettings, KafkaSettings, DatabaseSettings):
    """The router's settings."""

    model_config = SettingsConfigDict(env_prefix="LEADSCORE_ROUTER_")

    routing_file: Path = Field(
        default_factory=lambda: shipped("deploy/config/routing.yaml"),
        description="Where transitions go, and when.",
    )
    destinations: str = Field(
        default="",
        description="Packages with destinations of your own, separated by commas; each module is one.",
    )
    poll_interval_s: PositiveS = Field(
        default=0.5, description="Seconds between looks at the tables when nobody wakes us."
    )
    plan_batch: int = Field(
        default=200, ge=1, le=5000, description="Transitions planned in one transaction at most."
    )
    retry_waits_s: WaitsS = Field(
        default=_STANDARD_WAITS_S,
        description="Seconds between attempts, by comma; one attempt more than waits, then a dead letter.",
    )
    throttled_least_s: PositiveS = Field(
        default=60, description="Seconds to wait at least after a throttle or a timeout without Retry-After."
    )
    retry_after_most_s: PositiveS = Field(
        default=3600, description="Longest Retry-After that counts, in seconds."
    )
    breaker_failures: int = Field(
        default=10, ge=1, le=1000, description="Failures in a row that open a destination's breaker."
    )
    breaker_open_s: PositiveS = Field(
        default=30, description="Seconds a breaker stays open the first time; doubles up to 15 minutes."
    )
    disable_after_h: float = Field(
        default=120, gt=0, le=8760, description="Hours of nothing but failures that disable a destination."
    )
    connect_timeout_s: PositiveS = Field(
        default=5, description="Seconds to resolve, connect and shake hands with a webhook."
    )
    request_timeout_s: PositiveS = Field(
        default=20, description="Seconds for one webhook request in all; shorter than the lease."
    )
    lease_s: PositiveS = Field(
        default=60, description="Seconds after which a claimed delivery belongs to nobody again."
    )
    drain_s: PositiveS = Field(
        default=8, description="Seconds that deliveries under way get to finish when the router stops."
    )
    database_pool: int = Field(default=10, ge=2, le=100, description="Connections to Postgres at most.")
    admin_host: str = Field(default="127.0.0.1", description="Address of /metrics, /livez and /readyz.")
    admin_port: Port = Field(
        default=8093, description="Port of /metrics, /livez and /readyz; 0 takes a free one."
    )

    @model_validator(mode="after")
    def _lease_outlives_request(self) -> "RouterSettings":
        """A lease that ends while its request runs would let a second router overtake it."""
        if self.lease_s < self.request_timeout_s + 10:
            raise ValueError(
                f"LEADSCORE_ROUTER_LEASE_S is {self.lease_s:g}, LEADSCORE_ROUTER_REQUEST_TIMEOUT_S is "
                f"{self.request_timeout_s:g}: the lease has to be at least 10 s longer"
            )
        return self
