"""The judge of an installation, from its settings and the lists that come with Leadscore.

In: settings, the rules of identity. Out: `Judge`. Refuses to load a list of a hundred thousand domains
before a click asks for it.
"""

from services.scorer.judge.judge import Judge
from services.scorer.judge.judge_settings import JudgeSettings
from services.scorer.models import builtin_lists
from shared.leads.identifiers import IdentityRules


def judge_of(settings: JudgeSettings, rules: IdentityRules) -> Judge:
    """The judge that these settings describe."""
    return Judge(settings.thresholds(), rules, _private)


def _private() -> frozenset[str]:
    """Domains at which people have addresses of their own."""
    return builtin_lists.values("free-mail") | builtin_lists.values("disposable")
