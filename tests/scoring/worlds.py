"""Random models, events and moments for property tests, small enough to collide often."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from shared.events import Event
from shared.ids import EventId
from shared.scoring.definition.conditions import ALWAYS, Condition, Test
from shared.scoring.definition.model import Model
from shared.scoring.definition.purposes import Purpose
from shared.scoring.definition.rules import (
    UNBOUNDED,
    After,
    Clamp,
    Dimension,
    EngagementRule,
    FitRule,
    Group,
    Label,
    Limit,
    Occurrence,
    Points,
    Repeat,
    Window,
)
from shared.scoring.definition.stages import Grades, Line, Move, Stage, StageName
from shared.scoring.engine.compiled import Compiled

START = datetime(2026, 8, 30, 22, tzinfo=UTC)
LABEL: Label = {"en": "Something {times}", "de": "Etwas {times}"}
HOUR_S, DAY_S = 3600.0, 86_400.0
NAMES = ("a", "b", "c")
OBJECTION_EVENTS = ("person.objected", "person.objection_withdrawn")
SPANS = st.sampled_from([HOUR_S, 7 * HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S])

bounds = st.one_of(
    st.just(UNBOUNDED),
    st.tuples(st.integers(-30, 10), st.integers(0, 60)).map(
        lambda pair: Clamp(lowest=min(pair), highest=max(pair))
    ),
)
conditions: st.SearchStrategy[Condition] = st.one_of(
    st.just(ALWAYS),
    st.builds(
        Test, field=st.just("properties.n"), operator=st.just("gte"), operand=st.integers(0, 4).map(float)
    ),
)
occurrences = st.builds(
    Occurrence, names=st.sets(st.sampled_from(NAMES), max_size=2).map(frozenset), when=conditions
)
points = st.one_of(
    st.builds(Points, constant=st.integers(-15, 30).map(float)),
    st.builds(Points, constant=st.just(0.5)),
    st.builds(
        Points,
        constant=st.integers(-3, 3).map(float),
        by=st.just("properties.n"),
        values=st.dictionaries(st.sampled_from("01234"), st.integers(-10, 20).map(float), min_size=1),
    ),
    st.builds(
        Points,
        constant=st.just(0.0),
        by=st.just("properties.n"),
        each=st.sampled_from([0.7, 2.0, -1.5]),
        between=st.just(Clamp(lowest=-4, highest=9)),
    ),
)
windows = st.builds(
    Window,
    unit=st.sampled_from(["hours", "day", "week", "month", "ever"]),
    hours=st.sampled_from([1, 6, 100]),
)
limits = st.builds(
    Limit,
    times=st.integers(1, 3),
    per=windows,
    for_each=st.sampled_from(["", "", "properties.n", "name", "page.path"]),
)
PURPOSES = (
    Purpose(id="ads", label=LABEL, withdrawal="from_then_on", unknown="denied"),
    Purpose(id="mail", label=LABEL, withdrawal="from_then_on", unknown="granted"),
    Purpose(id="calls", label=LABEL, withdrawal="for_ever", unknown="denied"),
    Purpose(id="stats", label=LABEL, withdrawal="for_ever", unknown="granted"),
)
purposes = st.sampled_from([None, None, None, *PURPOSES])
answers = st.one_of(
    st.none(),
    st.none(),
    st.dictionaries(st.sampled_from([each.id for each in PURPOSES]), st.booleans(), min_size=1, max_size=4),
)
devices = st.sampled_from([None, None, "phone", "desk"])
half_lives = st.one_of(st.none(), SPANS)


@st.composite
def engagement_rules(draw: st.DrawFn, number: int, *, only_rising: bool = False) -> EngagementRule:
    return EngagementRule(
        id=f"rule-{number}",
        label=LABEL,
        group=draw(st.sampled_from(["web", "mail"])),
        event=draw(occurrences),
        points=draw(st.builds(Points, constant=st.integers(1, 30).map(float)) if only_rising else points),
        half_life_s=draw(half_lives),
        limit=draw(st.one_of(st.none(), limits)),
        repeat=draw(
            st.one_of(st.none(), st.none(), st.builds(Repeat, times=st.integers(2, 3), within_s=SPANS))
        ),
        after=draw(st.one_of(st.none(), st.none(), st.builds(After, first=occurrences, within_s=SPANS))),
        between=UNBOUNDED if only_rising else draw(bounds),
        purpose=draw(purposes),
    )


lines = st.builds(
    Line,
    at_least=st.dictionaries(
        st.sampled_from(["score", "fit", "engagement"]), st.integers(1, 50), min_size=1, max_size=2
    ),
    grades=st.sampled_from([frozenset(), frozenset({"A1", "A2", "B1", "B2", "D1", "D2"})]),
)
lower_lines = st.builds(
    Line,
    below=st.dictionaries(
        st.sampled_from(["score", "engagement"]), st.integers(1, 40), min_size=1, max_size=2
    ),
)


@st.composite
def stage_paths(draw: st.DrawFn) -> tuple[Stage, ...]:
    """A path from lead to SQL, with lower lines, waits, time limits, and a way back from recycled."""
    leave = {name: draw(lower_lines) for name in ("mql", "sql")}
    waits = st.sampled_from([timedelta(), timedelta(hours=1), timedelta(days=3)])
    enter_mql = Move(to="mql", kind="enter", line=draw(lines), text="mql", unless=(leave["mql"],))
    enter_sql = Move(to="sql", kind="enter", line=draw(lines), text="sql", unless=(leave["sql"],))
    back = Move(to="mql", kind="enter", line=draw(lines), text="back", wait=draw(waits))
    moves: dict[StageName, list[Move]] = {
        "lead": [enter_mql, enter_sql],
        "mql": [
            enter_sql,
            Move(to="lead", kind="leave", line=leave["mql"], text="", wait=draw(waits)),
        ],
        "sql": [Move(to="mql", kind="leave", line=leave["sql"], text="", wait=draw(waits))],
        "recycled": [back],
    }
    if draw(st.booleans()):
        moves["mql"].append(Move(to="recycled", kind="limit", line=Line(), text="", wait=timedelta(days=5)))
    return tuple(Stage(name=name, label=LABEL, moves=tuple(given)) for name, given in moves.items())


@st.composite
def models(draw: st.DrawFn, *, only_rising: bool = False) -> Compiled:
    weights = st.just(1.0) if only_rising else st.sampled_from([1.0, 1.0, 0.6, 0.4, 1.5, 0.0])
    clamps = st.just(UNBOUNDED) if only_rising else bounds
    return Compiled.of(
        Model(
            name="random",
            dimensions=tuple(
                Dimension(id=name, label=LABEL, weight=draw(weights), between=draw(clamps))
                for name in ("fit", "engagement")
            ),
            groups=(
                Group(id="who", label=LABEL, dimension="fit", between=draw(clamps)),
                Group(id="web", label=LABEL, dimension="engagement", between=draw(clamps)),
                Group(id="mail", label=LABEL, dimension="engagement", between=draw(clamps)),
            ),
            engagement=tuple(
                draw(engagement_rules(number, only_rising=only_rising))
                for number in range(draw(st.integers(1, 5)))
            ),
            fit=tuple(
                FitRule(
                    id=f"fit-{test.field}",
                    label=LABEL,
                    group="who",
                    when=test,
                    points=draw(st.integers(-20, 30)),
                )
                for test in (
                    Test(field="size", operator="eq", operand=2.0),
                    Test(field="city", operator="eq", operand="ulm"),
                )
            ),
            grades=Grades(letters=(30, 20, 10), numbers=(40, 25, 10)),
            stages=draw(stage_paths()),
        )
    )


@st.composite
def events(draw: st.DrawFn, max_size: int = 12) -> list[Event]:
    """Unique events within two months, in order of arrival, several of them at the same instant."""
    moments = draw(
        st.lists(st.sampled_from([0, 1, 1800, 3600, 90_000, 400_000, 2_000_000]), min_size=1, max_size=4)
    )
    instants = [START + timedelta(seconds=sum(moments[: n + 1])) for n in range(len(moments))]
    found = []
    for number in range(draw(st.integers(0, max_size))):
        at = draw(st.sampled_from(instants)) + timedelta(hours=draw(st.sampled_from([0, 0, 1, 30, 200])))
        found.append(
            Event(
                event_id=EventId(UUID(int=draw(st.integers(0, 10**6)) * 100 + number)),
                source="test",
                kind="web",
                name=draw(st.sampled_from([*NAMES * 7, *OBJECTION_EVENTS])),
                occurred_at=at,
                received_at=at,
                properties=draw(st.sampled_from([{}, {"n": 0}, {"n": 2}, {"n": "4"}, {"n": [1, 3]}])),
                traits=draw(
                    st.sampled_from([{}, {}, {"size": 2}, {"size": 1, "city": "Ulm"}, {"city": None}])
                ),
                anonymous_id=draw(devices),
                consent=draw(answers),
            )
        )
    return found
