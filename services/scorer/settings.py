"""What the scorer reads from its environment; deploy/config/reference.env says why for each."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.scorer.identify.limit_settings import LimitSettings
from services.scorer.judge.judge_settings import JudgeSettings
from services.scorer.retention.settings import RetentionSettings
from shared.deployed import shipped
from shared.leads.identity_settings import IdentitySettings
from shared.settings import DatabaseSettings, KafkaSettings, Port, PositiveS, ServiceSettings


class ScorerSettings(
    ServiceSettings,
    KafkaSettings,
    DatabaseSettings,
    IdentitySettings,
    LimitSettings,
    JudgeSettings,
    RetentionSettings,
):
    """The scorer's settings."""

    model_config = SettingsConfigDict(env_prefix="LEADSCORE_SCORER_")

    model_file: Path = Field(
        default_factory=lambda: shipped("deploy/config/scoring.yaml"),
        description="The scoring model of a new installation; later ones: leadscore model publish.",
    )
    group: str = Field(
        default="leadscore-scorer",
        min_length=1,
        description="Kafka consumer group; offsets are kept under it.",
    )
    session_s: PositiveS = Field(
        default=10,
        ge=6,
        description="Seconds without a sign of life after which another scorer takes over our partitions.",
    )
    batch_records: int = Field(
        default=1000, ge=1, le=10_000, description="Records in one transaction at most, of all partitions."
    )
    sweep_interval_s: PositiveS = Field(
        default=1.0,
        description="Seconds between looks at the leads whose stage is due to change by time alone.",
    )
    admin_host: str = Field(default="127.0.0.1", description="Address of /metrics, /livez and /readyz.")
    admin_port: Port = Field(
        default=8092, description="Port of /metrics, /livez and /readyz; 0 takes a free one."
    )
