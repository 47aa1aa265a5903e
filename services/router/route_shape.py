"""The shape of routing.yaml, as editors and the parser check it.

In: plain data. Out: pydantic objects; deploy/schemas/routing.v1.json is made from them, for editors.
Refuses unknown keys and values outside closed sets; what the whole file means is route_file's business.
"""

from typing import Annotated, Any, Literal, Self, TypeVar, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    create_model,
    model_validator,
)

from services.router.destination import Kinds, Name
from services.router.render import Language
from shared.scoring.definition.stages import StageName

Grade = Annotated[str, StringConstraints(pattern=r"^([A-D][1-4]?|[1-4])$")]
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


class RoutingShape(_Shape):
    """Where stage transitions go."""

    version: Literal[1] = Field(description="Version of this format.")
    language: Language = Field(
        default="en", description="Of the reasons' sentences, unless a destination says."
    )
    destinations: list[Any] = Field(min_length=1)
    routes: list[RouteShape] = Field(
        min_length=1, description="Every route that matches counts, top to bottom."
    )


def entry_shape(known: Kinds) -> Any:
    """The shape of one entry under `destinations:` where there are these kinds."""
    shapes = tuple(kind.shape for kind in known.values())
    return Annotated[Union[shapes], Field(discriminator="kind")]  # noqa: UP007 - of a tuple


def routing_shape(known: Kinds) -> type[RoutingShape]:
    """The shape of the whole file where there are these kinds."""
    entries: Any = list.__class_getitem__(entry_shape(known))
    file = create_model("RoutingShape", __base__=RoutingShape, destinations=(entries, Field(min_length=1)))
    file.__doc__ = RoutingShape.__doc__
    return file
