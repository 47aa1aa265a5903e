"""A scoring model as its file says it: dimensions, groups, rules, grades and stages.

In: checked values (shared/scoring/file/read.py makes them from scoring.yaml). Out: `Model`, immutable. What
the engine works out from it once is in shared/scoring/engine/compiled.py.
"""

from dataclasses import dataclass

from shared.scoring.definition.accounts import Accounts
from shared.scoring.definition.purposes import Purpose
from shared.scoring.definition.rules import Dimension, EngagementRule, FitRule, Group
from shared.scoring.definition.stages import Grades, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One scoring model.

    stages:  in the order in which a lead passes them; those that nothing leads to may be missing
    accounts:  None if the file says nothing about them, and then nothing is done about them
    purposes:  what people may agree to; a rule names the one that it needs
    """

    name: str
    dimensions: tuple[Dimension, ...]
    groups: tuple[Group, ...]
    engagement: tuple[EngagementRule, ...]
    fit: tuple[FitRule, ...]
    grades: Grades
    stages: tuple[Stage, ...]
    accounts: Accounts | None = None
    purposes: tuple[Purpose, ...] = ()
