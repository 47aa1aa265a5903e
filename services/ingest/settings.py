"""What ingest reads from its environment; deploy/config/reference.env says why for each."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.ingest.limits import Limits
from shared.deployed import shipped
from shared.settings import KafkaSettings, Port, PositiveS, ServiceSettings


class IngestSettings(ServiceSettings, KafkaSettings):
    """Ingest's settings. The secrets that sources.yaml names are variables of their own."""

    model_config = SettingsConfigDict(env_prefix="LEADSCORE_INGEST_")

    host: str = Field(default="127.0.0.1", description="Address for senders; 0.0.0.0 for all of the machine.")
    port: Port = Field(default=8090, description="Port for senders; 0 takes a free one.")
    admin_host: str = Field(default="127.0.0.1", description="Address of /metrics, /livez and /readyz.")
    admin_port: Port = Field(
        default=8091, description="Port of /metrics, /livez and /readyz; 0 takes a free one."
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="Addresses and networks of the proxies before ingest, separated by commas. Of what they "
        "pass on, X-Forwarded-For and X-Forwarded-Proto say who sent it and whether by https.",
    )
    sources_file: Path = Field(
        default_factory=lambda: shipped("deploy/config/sources.yaml"),
        description="Who may send, and how they prove it.",
    )
    providers: str = Field(
        default="",
        description="Packages with webhook providers of your own, separated by commas; each module is one.",
    )
    ack_s: PositiveS = Field(
        default=5.0, description="Seconds Kafka may take to acknowledge before the sender gets a 503."
    )
    hook_ack_s: PositiveS = Field(
        default=3.0, description="The same for webhooks; some e-mail providers give up after 4 s."
    )
    drain_s: float = Field(
        default=1.0,
        ge=0,
        le=300,
        description="Seconds it goes on answering when told to stop, no longer ready, each answer the last "
        "of its connection: as long as balancers take to notice.",
    )
    read_s: PositiveS = Field(default=10.0, description="Seconds a client may take to send its body.")
    max_in_flight: int = Field(
        default=512,
        ge=1,
        le=100_000,
        description="Requests answered at the same time; more get a 503 at once.",
    )
    event_bytes: int = Field(
        default=32 * 1024, ge=1024, le=512 * 1024, description="Largest event, as JSON. Segment's limit."
    )
    body_bytes: int = Field(
        default=500 * 1024,
        ge=1024,
        le=64 * 1024 * 1024,
        description="Largest request as it comes over the wire.",
    )
    decompressed_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="Largest request once unpacked."
    )
    bodies_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024 * 1024,
        le=64 * 1024 * 1024 * 1024,
        description="Bodies of all requests at the same time, unpacked ones counted too; more get a 503 at "
        "once. The memory of the process is several times as much at the worst.",
    )
    batch_items: int = Field(default=2500, ge=1, le=100_000, description="Events in one request at most.")

    def limits(self) -> Limits:
        """The limits that these settings describe."""
        return Limits(
            event_bytes=self.event_bytes,
            body_bytes=self.body_bytes,
            decompressed_bytes=self.decompressed_bytes,
            bodies_bytes=self.bodies_bytes,
            batch_items=self.batch_items,
            read_s=self.read_s,
            ack_s=self.ack_s,
            hook_ack_s=self.hook_ack_s,
        )
