"""What a person has to agree to before an event pays: purposes, as a model declares them.

In: checked values from the model file. Out: `Purpose`, immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Withdrawal = Literal["from_then_on", "for_ever"]
"""What somebody's withdrawal takes back: what happens after it, or all that ever happened."""

Unknown = Literal["granted", "denied"]
"""What holds of somebody who never said anything about a purpose."""

NO_PURPOSE: Final = "none"
"""What a rule writes that needs no consent although the model has a purpose for all rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One purpose, as the `consent` of events names it."""

    id: str
    label: Mapping[Literal["en", "de"], str]
    withdrawal: Withdrawal = "from_then_on"
    unknown: Unknown = "denied"

    @property
    def decides(self) -> tuple[str, ...]:
        """All that decides what is kept of a lead for its rules."""
        return (self.id, self.withdrawal, self.unknown)
