"""The plan as one self-contained HTML page: big numbers first, then plots, each with its numbers in a table.

In: a `Plan`. Out: HTML without scripts, that loads nothing from anywhere and says so in its own policy.
Refuses to trust text: rule labels, titles and addresses are escaped, whoever wrote them.
"""

import base64
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.cli.model.plan.findings import (
    STAGE_WORDS,
    Load,
    Plan,
    bins,
    counted,
    dates,
    headline,
    signed,
)
from services.cli.model.plan.plots import HEIGHT, WIDTH, chart
from shared.scoring.definition.stages import STAGE_NAMES

_FOLDER: Final = Path(__file__).parent
_MOST_HEAT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One big number."""

    number: str
    what: str
    more: str


def render(plan: Plan) -> str:
    """The page."""
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["zip"] = lambda one, other: list(zip(one, other, strict=True))
    days = dates(plan.compared)
    return environment.get_template("page.html.jinja").render(
        plan=plan,
        headline=headline(plan),
        cards=cards(plan),
        style=Markup(style),  # noqa: S704 - a file of ours, whose hash the page's policy names
        style_hash=style_hash(style),
        stages=STAGE_WORDS,
        heat=lambda before, after: heat(plan, before, after),
        counted=counted,
        signed=signed,
        bins=bins(),
        days=[f"{day:%a, %d %b %Y}" for day in days],
        scores=chart(plan.scores, bins()),
        loads=[(load, chart(load.days, [f"{day:%d %b}" for day in days])) for load in plan.load],
        entered=[(STAGE_WORDS[stage], pair) for stage, pair in plan.entered.items()],
        width=WIDTH,
        height=HEIGHT,
    )


def style_hash(style: str) -> str:
    """What the page's policy calls its style."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def cards(plan: Plan) -> list[Card]:
    """The numbers to look at first: who moves, where to, and what sales gets."""
    first = Card(
        number=f"{plan.moved:,}",
        what="leads change stage at once" if plan.moved != 1 else "lead changes stage at once",
        more=f"of {plan.leads:,}",
    )
    moves = [
        Card(
            number=f"{flow.leads:,}",
            what=f"{STAGE_WORDS[flow.before]} → {STAGE_WORDS[flow.after]}",
            more="when you publish",
        )
        for flow in plan.flows[:2]
    ]
    return [first, *moves, *(_load_card(load) for load in plan.load if load.days and not load.off)][:4]


def heat(plan: Plan, before: str, after: str) -> str:
    """The class of a cell: up or down, and how strongly, by the logarithm of its leads."""
    number = plan.matrix[before][after]
    if before == after:
        return "stay" if number else "none"
    if not number:
        return "none"
    most = max(flow.leads for flow in plan.flows)
    strength = math.ceil(_MOST_HEAT * math.log(number + 1) / math.log(most + 1))
    rises = STAGE_NAMES.index(after) > STAGE_NAMES.index(before)
    return f"{'up' if rises else 'down'}{min(strength, _MOST_HEAT)}"


def _load_card(load: Load) -> Card:
    before, after = load.average
    return Card(
        number=signed(after - before),
        what=f"a day for {load.queue}",
        more=f"{before:,.1f} → {after:,.1f}; worst day {load.worst[0]:,} → {load.worst[1]:,}",
    )
