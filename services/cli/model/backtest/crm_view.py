"""What a CRM would know of a lead, from events and traits (pure): the fields of Odoo's method.

In: an event, or the profile as it was. Out: where the person came from, a stage of the pipeline, a `CrmLead`.
Refuses behaviour: how often somebody came or clicked is what Odoo does not see.

The stage is the one that sales put the lead into (`lead.accepted`, `deal.created` …), not one that a score
reached: else the baseline would borrow from what it is compared with.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from services.cli.model.backtest.odoo import CrmLead
from shared.events import Event
from shared.scoring.definition.conditions import as_number, fold_case
from shared.scoring.definition.stages import STAGE_NAMES

FIRST_STAGE: Final = "lead"
WON_STAGE: Final = "customer"
PIPELINE: Final = tuple(name for name in STAGE_NAMES if name not in {"visitor", WON_STAGE})

_ENTERED: Final = {"lead.accepted": "sal", "lead.qualified": "sql", "deal.created": "opportunity"}
_MOVED: Final = "lead.moved"
# Least number of people for each band of company size, the largest first.
_SIZES: Final = (1000, 250, 50, 10, 1)
_MOST_CHARS: Final = 60


class CrmView(NamedTuple):
    """The fields, as text, "" where nothing is known; equal for leads that a CRM cannot tell apart."""

    source: str
    country: str
    email: str
    phone: str
    size: str
    industry: str
    stage: str

    def lead(self) -> CrmLead:
        """As Odoo's method takes it."""
        fields = self._asdict()
        stage = fields.pop("stage")
        return CrmLead(fields=fields, stage=stage)


def view(profile: Mapping[str, Any], *, source: str, stage: str, free_mail: frozenset[str]) -> CrmView:
    """The fields of a lead with this profile (`LeadState.profile`)."""
    return CrmView(
        source=source,
        country=_text(profile.get("country")),
        email=_email(profile, free_mail),
        phone="known" if _text(profile.get("phone")) else "",
        size=_size(profile.get("employees")),
        industry=_text(profile.get("industry")),
        stage=stage,
    )


def came_from(event: Event) -> str:
    """The campaign's source, the other site or the channel that this event names; "" if it names none."""
    campaign, referrer = event.context.get("campaign"), event.context.get("referrer")
    if isinstance(campaign, dict) and (source := _text(campaign.get("source"))):
        return source
    if isinstance(referrer, dict) and (host := _host(referrer.get("url"))):
        return host
    return _text(event.context.get("channel"))


def stage_after(event: Event) -> str:
    """The stage of the pipeline that sales moves the lead to by this event; "" if it does not."""
    if event.kind != "crm":
        return ""
    if event.name == _MOVED:
        stage = event.properties.get("stage")
        return stage if stage in PIPELINE else ""
    return _ENTERED.get(event.name, "")


def _email(profile: Mapping[str, Any], free_mail: frozenset[str]) -> str:
    domain = profile.get("email_domain")
    if not domain:
        return ""
    return "free" if domain in free_mail else "business"


def _size(employees: Any) -> str:
    count = as_number(employees)
    least = next((least for least in _SIZES if count is not None and count >= least), None)
    return f"{least} and more" if least else ""


def _host(url: Any) -> str:
    try:
        return (urlsplit(url).hostname or "") if isinstance(url, str) else ""
    except ValueError:
        return ""


def _text(value: Any) -> str:
    return fold_case(value)[:_MOST_CHARS] if isinstance(value, str) else ""
