"""From when on something is no person's, from the environment: for the scorer and whoever corrects events.

In: environment variables. Out: `Thresholds`. All processes of an installation must be given the same.
Refuses networks that are none, as settings do: at start, with the value seen.
"""

from ipaddress import ip_network
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from services.scorer.judge.thresholds import Thresholds


class JudgeSettings(BaseSettings):
    """What the judge is told. Mixed into the settings of the scorer."""

    judge: Literal["on", "off"] = Field(
        default="on",
        validation_alias="LEADSCORE_JUDGE",
        description="off: only what senders mark is quarantined, nothing for what several events say.",
    )
    judge_delivery_s: float = Field(
        default=10,
        ge=0,
        le=600,
        validation_alias="LEADSCORE_JUDGE_DELIVERY_S",
        description="A click within so many seconds of its e-mail's delivery is quick.",
    )
    judge_links: int = Field(
        default=3,
        ge=2,
        validation_alias="LEADSCORE_JUDGE_LINKS",
        description="So many different links of one e-mail, quick or at the same moment, are no person's.",
    )
    judge_recipients: int = Field(
        default=3,
        ge=0,
        validation_alias="LEADSCORE_JUDGE_RECIPIENTS",
        description="So many recipients of one company who click within 3 s are its gateway; 0: never.",
    )
    judge_burst_events: int = Field(
        default=20,
        ge=2,
        validation_alias="LEADSCORE_JUDGE_BURST_EVENTS",
        description="So many clicks, opens, page views and forms within a second are no person's.",
    )
    judge_proof_days: float = Field(
        default=30,
        ge=0,
        le=365,
        validation_alias="LEADSCORE_JUDGE_PROOF_DAYS",
        description="A form, a reply or reading so many days later lifts what is weakly held against it.",
    )
    judge_proxy_opens: Literal["quarantined", "counted"] = Field(
        default="quarantined",
        validation_alias="LEADSCORE_JUDGE_PROXY_OPENS",
        description="Opens by the privacy proxies of Apple, Google and Yahoo, told by their user agent.",
    )
    judge_trap_links: str = Field(
        default="",
        validation_alias="LEADSCORE_JUDGE_TRAP_LINKS",
        description="By comma: parts of addresses of links in your e-mails that people do not see.",
    )
    judge_own_networks: str = Field(
        default="",
        validation_alias="LEADSCORE_JUDGE_OWN_NETWORKS",
        description="By comma (CIDR): networks of your own company. Compared in /24, and /48 for IPv6.",
    )
    judge_datacentres: str = Field(
        default="",
        validation_alias="LEADSCORE_JUDGE_DATACENTRES",
        description="By comma (CIDR): networks no reader clicks from. Compared in /24, and /48 for IPv6.",
    )

    @field_validator("judge_own_networks", "judge_datacentres")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for one in _listed(text):
            ip_network(one)
        return text

    def thresholds(self) -> Thresholds:
        """The thresholds that these settings say."""
        return Thresholds(
            on=self.judge == "on",
            delivery_s=self.judge_delivery_s,
            links=self.judge_links,
            recipients=self.judge_recipients,
            burst_events=self.judge_burst_events,
            proof_days=self.judge_proof_days,
            proxy_opens_count=self.judge_proxy_opens == "counted",
            trap_links=tuple(_listed(self.judge_trap_links)),
            own_networks=tuple(map(ip_network, _listed(self.judge_own_networks))),
            datacentres=tuple(map(ip_network, _listed(self.judge_datacentres))),
        )


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
