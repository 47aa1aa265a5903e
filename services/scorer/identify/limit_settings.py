"""What one device and one identifier may have, from the environment: for the scorer, and for whoever decides.

In: environment variables. Out: `Limits`.
"""

from pydantic import Field
from pydantic_settings import BaseSettings

from services.scorer.identify.facts import Limits


class LimitSettings(BaseSettings):
    """When a device is everybody's, and an identifier no evidence. Mixed into the settings of the scorer."""

    device_people_per_day: int = Field(
        default=4,
        ge=1,
        validation_alias="LEADSCORE_SCORER_DEVICE_PEOPLE_PER_DAY",
        description="A device that serves more people in a day is shared: its anonymous events go to nobody.",
    )
    identifier_ties_per_hour: int = Field(
        default=100,
        ge=5,
        validation_alias="LEADSCORE_SCORER_IDENTIFIER_TIES_PER_HOUR",
        description="More new devices of one identifier in an hour suspend it; an address counts as ten.",
    )

    def limits(self) -> Limits:
        """As identity reads them."""
        return Limits(
            people_per_device=self.device_people_per_day, ties_per_hour=self.identifier_ties_per_hour
        )
