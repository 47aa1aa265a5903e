"""The shape of routing.yaml, as editors and the parser check it.

In: plain data. Out: pydantic objects; deploy/schemas/routing.v1.json is made from them, for editors.
Refuses unknown keys and values outside closed sets; what the whole file means is route_file's business.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    StringConstraints,
    Tag,
    model_validator,
)

from services.router.render import Language
from shared.scoring.definition.stages import StageName

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Grade = Annotated[str, StringConstraints(pattern=r"^([A-D][1-4]?|[1-4])$")]
InFlight = Annotated[int, Field(ge=1, le=256)]
Scalar = str | int | float | bool

Item = TypeVar("Item")


def _listed(value: Any) -> Any:
    """A list of values, whether the file gives one or several."""
    return value if isinstance(value, list) else [value]


OneOrMore = Annotated[list[Item], BeforeValidator(_listed, json_schema_input_type=Item | list[Item])]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class RangeShape(_Shape):
    """Numbers from min to max, both included."""

    min: float | None = Field(default=None, description="The least number that fits.")
    max: float | None = Field(default=None, description="The largest number that fits.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a range without min and max. Give one of them")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}, so nothing fits. Swap them")
        return self


Values = Annotated[list[Scalar], BeforeValidator(_listed, json_schema_input_type=Scalar | list[Scalar])]
Wanted = Annotated[
    Annotated[RangeShape, Tag("range")] | Annotated[Values, Tag("values")],
    Discriminator(lambda value: "range" if isinstance(value, dict | RangeShape) else "values"),
]
"""What a trait has to be: within a range, or one of some values."""


class WhenShape(_Shape):
    """Conditions of a route. All that are given must hold; without any, every transition matches."""

    stage: OneOrMore[StageName] = Field(default=[], description="The stage entered; any of these.")
    previous_stage: OneOrMore[StageName] = Field(default=[], description="The stage left; any of these.")
    grade: OneOrMore[Grade] = Field(
        default=[],
        description="A1 to D4; only a letter (fit) or only a number (engagement) takes all of these.",
    )
    score: RangeShape | None = Field(default=None, description="Limits of the score, 0 to 100.")
    dimensions: dict[str, RangeShape] = Field(
        default_factory=dict, description="Limits of the points in a dimension, such as fit."
    )
    traits: dict[str, Wanted] = Field(
        default_factory=dict,
        description="What is known about the person: any of these values (text: any case), or a range.",
    )


class RouteShape(_Shape):
    """Which transitions go where."""

    name: Name = Field(description="For people and messages.")
    when: WhenShape = Field(default=WhenShape(), description="Which transitions this route is for.")
    to: list[str] = Field(min_length=1, description="Names of destinations.")
    stop: bool = Field(default=False, description="true: what matches here does not look at routes below.")


class KafkaShape(_Shape):
    """The sales queue: topic leads.sales.v1, one record per transition, keyed by lead."""

    name: Name = Field(description="For routes, metrics and messages.")
    kind: Literal["kafka"]
    language: Language | None = Field(default=None, description="Of the reasons' sentences.")
    in_flight: InFlight = Field(default=64, description="Records on their way at the same time at most.")


class WebhookShape(_Shape):
    """A receiver of signed HTTP posts (Standard Webhooks)."""

    name: Name = Field(description="For routes, metrics and messages.")
    kind: Literal["webhook"]
    url: SecretStr = Field(
        min_length=1,
        description="https://…, or ${NAME} from the environment; while it is unset, the destination is off.",
    )
    secrets: list[SecretStr] = Field(
        min_length=1,
        max_length=5,
        description="Signing secrets (whsec_…), best as ${NAME}, newest first. Bodies are signed with all of "
        "them; later ones may be unset.",
    )
    language: Language | None = Field(default=None, description="Of the reasons' sentences.")
    in_flight: InFlight = Field(default=8, description="Requests at the same time at most.")
    allow_networks: list[str] = Field(
        default_factory=list,
        description="Networks (CIDR) that may be reached although they are not public, such as 10.20.0.0/16.",
    )
    allow_http: bool = Field(default=False, description="http without TLS, to allow_networks only.")
    ca_file: Path | None = Field(
        default=None, strict=False, description="Certificates (PEM) to trust beside the public ones."
    )


DestinationShape = Annotated[KafkaShape | WebhookShape, Field(discriminator="kind")]


class RoutingShape(_Shape):
    """Where stage transitions go."""

    version: Literal[1] = Field(description="Version of this format.")
    language: Language = Field(
        default="en", description="Of the reasons' sentences, unless a destination says."
    )
    destinations: list[DestinationShape] = Field(min_length=1)
    routes: list[RouteShape] = Field(
        min_length=1, description="Every route that matches counts, top to bottom."
    )
