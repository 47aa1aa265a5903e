"""How long what is kept, from the environment: for the scorer, which applies it, and `leadscore retention`.

In: environment variables. Out: days. Kafka's own retention is in shared/topics.py.
Refuses to forget what duplicates are still told by.
"""

from typing import Final

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

LOOK_BACK_DAYS: Final = 35
"""As far as a copy of an event is known for one (services/scorer/store/events.py)."""


class RetentionSettings(BaseSettings):
    """Days for which something is kept; 0 for ever."""

    retention_anonymous_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        validation_alias="LEADSCORE_RETENTION_ANONYMOUS_DAYS",
        description="Days after their last event until visitors whom nobody knows are forgotten; 0: never.",
    )
    retention_deliveries_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        validation_alias="LEADSCORE_RETENTION_DELIVERIES_DAYS",
        description="Days that the body of a finished delivery is kept, its row for ever; 0: both for ever.",
    )
    retention_dead_letters_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        validation_alias="LEADSCORE_RETENTION_DEAD_LETTERS_DAYS",
        description="Days that the bytes of a resolved dead letter are kept, its row for ever; 0: for ever.",
    )

    @model_validator(mode="after")
    def _duplicates_are_known(self) -> "RetentionSettings":
        """An event that was forgotten sooner would count again when it is sent again."""
        if 0 < self.retention_anonymous_days < LOOK_BACK_DAYS:
            raise ValueError(
                f"LEADSCORE_RETENTION_ANONYMOUS_DAYS is {self.retention_anonymous_days}: copies of an event "
                f"are told by its row for {LOOK_BACK_DAYS} days. Set it to {LOOK_BACK_DAYS} or more, or to 0"
            )
        return self
