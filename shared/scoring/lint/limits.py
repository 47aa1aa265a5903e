"""Limits for each value of a field that do nothing, or let everything through.

In: a model. Out: doubts, each with its path.
Refuses to guess what senders put into a field: only names that say so are told, such as `event_id`.
"""

import re
from collections.abc import Iterator
from typing import Final

from shared.scoring.analysis.satisfiable import values_of, why_never
from shared.scoring.definition.conditions import All, Test
from shared.scoring.definition.model import Model
from shared.scoring.definition.rules import EngagementRule
from shared.scoring.lint.rules import Doubt, place, whole_condition

# Names of fields, without - and _, that are another one in every event: ids of the act itself, and moments.
# `sg_message_id` is none of them: all opens of an e-mail share it.
_OF_THE_ACT: Final = re.compile(
    r"(sgevent|event|message|request|hit|insert|click|open|view|visit|idempotency)(id|key)|uuid|guid|nonce"
    r"|.*timestamp|time|date|datetime|(sent|received|occurred|created|updated|opened|clicked|viewed|visited)(at|on)"
    r"|gclid|fbclid|msclkid"
)
_WITH_QUERY: Final = re.compile(r"page\.url|(properties|context)\.(page\.)?(url|href|search|query)")


def doubts_about_limits(model: Model) -> Iterator[Doubt]:
    """Every doubt about the `for_each` of a limit."""
    for rule in model.engagement:
        words = _doubt(rule, rule.limit.for_each) if rule.limit and rule.limit.for_each else ""
        if words:
            yield place(rule, "limit", "for_each"), words


def _doubt(rule: EngagementRule, field: str) -> str:
    condition = whole_condition(rule.event)
    present = Test(field=field, operator="exists", operand=True)
    if why_never(All(parts=(condition, present))):
        return f"its events never have {field}: for_each does nothing. Remove it, or name another field"
    values = values_of(condition, field)
    if len(values) == 1:
        return f'{field} is always "{next(iter(values))}" here: for_each does nothing. Remove it'
    if values:
        return ""
    if _WITH_QUERY.fullmatch(field):
        return f"{field} has the query in it, which makes many values of one page. Use page.path"
    if _OF_THE_ACT.fullmatch(re.sub("[-_]", "", field.rpartition(".")[2].lower())):
        return (
            f"{field} is another one in each event, and so the limit lets everything through. "
            "Name what the event is about, such as properties.email_id"
        )
    return ""
