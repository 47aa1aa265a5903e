"""What consent leaves out, what a withdrawal takes back, and who may lift one, case by case."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import msgspec
import pytest

from shared.errors import Misconfigured
from shared.events import Event
from shared.leads.portrait import portrait
from shared.scoring.definition.purposes import Purpose
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import MOST_WITHDRAWALS, has_objected
from shared.scoring.engine.fold import fold, refold
from shared.scoring.engine.score import evaluate
from shared.scoring.engine.state import EMPTY, LeadState, decode
from shared.scoring.replay.fast_replay import fast_replay
from shared.scoring.replay.life import live
from shared.scoring.replay.timeline import Chart, Timeline
from tests.scoring import small
from tests.scoring.test_lint import warnings
from tests.scoring.test_properties import seen

DAY = timedelta(days=1)
LABEL = "label: {en: Ads, de: Werbung}"


def model(withdrawal: str = "from_then_on", unknown: str = "denied", rest: str = "") -> Compiled:
    """One rule that needs consent for ads, one that needs none; a click is worth 10, a view 1."""
    consent = f"  purposes: {{ads: {{{LABEL}, withdrawal: {withdrawal}, unknown: {unknown}}}}}\n{rest}"
    rules = small.rule("click", "event: click, points: 10, purpose: ads")
    rules += small.rule("view", "event: view, points: 1")
    return small.model(engagement=rules, consent=consent)


def said(number: int, age: int, answer: bool | None, name: str = "click", **who: str) -> Event:  # noqa: FBT001
    """A click so many days ago that says this about ads."""
    consent = None if answer is None else {"ads": answer}
    return small.event(number, name, age * DAY, consent=consent, **who)


def points(compiled: Compiled, events: Sequence[Event]) -> int:
    return evaluate(compiled, refold(compiled, events), small.NOW).total


CLICKS = [said(1, 9, None), said(2, 8, True), said(3, 7, None), said(4, 6, False), said(5, 5, None)]
AGAIN = [*CLICKS, said(6, 4, True), said(7, 3, None)]


@pytest.mark.parametrize(
    ("withdrawal", "unknown", "events", "expected"),
    [
        ("from_then_on", "denied", CLICKS, 20),  # the 2nd and the 3rd
        ("from_then_on", "granted", CLICKS, 30),  # and the 1st, when nobody had been asked
        ("for_ever", "granted", CLICKS, 0),
        ("from_then_on", "denied", AGAIN, 40),  # what follows a new grant counts
        ("for_ever", "granted", AGAIN, 20),  # and does not bring back what was taken back
        ("for_ever", "denied", CLICKS[:3], 20),
        ("from_then_on", "granted", CLICKS[:1], 10),
        ("from_then_on", "denied", CLICKS[:1], 0),
    ],
)
def test_what_counts_with_consent(
    withdrawal: str, unknown: str, events: Sequence[Event], expected: int
) -> None:
    """What an event itself says, else what was said last before it, else what holds of who was not asked."""
    assert points(model(withdrawal, unknown), events) == expected


def test_the_receipt_says_what_was_left_out() -> None:
    """A line of no points for each purpose, in both languages; a rule without a purpose is not asked."""
    compiled = model()
    found = evaluate(compiled, refold(compiled, [*CLICKS, small.event(9, "view", DAY)]), small.NOW)
    assert [(line.rule, line.points) for line in found.contributions] == [
        ("click", 20),
        ("view", 1),
        ("consent ads", 0),
    ]
    left_out = found.contributions[-1]
    assert (left_out.kind, left_out.count, left_out.last_at) == ("consent", 3, CLICKS[-1].occurred_at)


def test_in_order_nothing_is_read_again_and_late_only_what_must_be() -> None:
    """In order every event folds; a late answer, and a late event before one, ask for the history."""
    compiled, state = model(), EMPTY
    for event in AGAIN:
        folded = fold(compiled, state, event)
        assert folded is not None
        state = folded
    assert state == refold(compiled, AGAIN)
    assert fold(compiled, state, said(20, 7, False)) is None
    assert fold(compiled, state, said(21, 7, None)) is None
    assert fold(compiled, state, small.event(22, "view", 7 * DAY)) is not None
    # Websites repeat with every event what they know: said late, a grant that held already changes nothing.
    late = said(23, 3, True)
    assert fold(compiled, state, late) == refold(compiled, [*AGAIN, late])


@pytest.mark.parametrize("withdrawal", ["from_then_on", "for_ever"])
def test_every_order_of_arrival_ends_in_the_same_state(withdrawal: str) -> None:
    """All 120 orders of five answers: what is kept and what the receipt says are those of history."""
    compiled = model(withdrawal, "granted")
    derived = refold(compiled, CLICKS)
    for arriving in permutations(CLICKS):
        state: LeadState = EMPTY
        for count, event in enumerate(arriving, start=1):
            state = fold(compiled, decode(state.encode()), event) or refold(compiled, arriving[:count])
        assert state.consent == derived.consent
        assert seen(evaluate(compiled, state, small.NOW)) == seen(evaluate(compiled, derived, small.NOW))


def test_at_equal_times_the_withdrawal_wins() -> None:
    """Whatever the ids of the two events say."""
    for first, second in ((True, False), (False, True)):
        events = [said(1, 5, first), said(2, 5, second), said(3, 4, None)]
        assert points(model(), events) == (10 if first else 0)


@pytest.mark.parametrize(
    ("withdrew", "granted", "lifts"),
    [
        ({"anonymous_id": "phone"}, {"anonymous_id": "phone"}, True),
        ({"anonymous_id": "phone"}, {"anonymous_id": "desk"}, False),
        ({"email": "a@x.example"}, {"anonymous_id": "desk"}, False),
        ({"email": "a@x.example"}, {"anonymous_id": "desk", "email": " A@X.example"}, True),
        ({"email": "a@x.example"}, {"user_id": "17"}, False),
        ({"user_id": "17", "namespace": "crm"}, {"user_id": "17", "namespace": "product"}, False),
        ({"user_id": "17", "namespace": "product"}, {"user_id": "17"}, True),
        ({}, {}, True),
    ],
)
def test_only_who_withdrew_can_grant_again(
    withdrew: dict[str, str],
    granted: dict[str, str],
    lifts: bool,  # noqa: FBT001 - a case
) -> None:
    """A grant lifts a withdrawal with which it shares a user id, an address or a device."""
    events = [said(1, 9, False, **withdrew), said(2, 8, True, **granted), said(3, 7, None)]
    assert points(model(), events) == (20 if lifts else 0)


def test_every_withdrawal_has_to_be_lifted() -> None:
    """Two people withdrew, and one of them grants: merged, they do not agree until the other does too."""
    a, b = {"email": "a@x.example"}, {"user_id": "17"}
    events = [said(1, 9, False, **a), said(2, 8, False, **b), said(3, 7, True, **a), said(4, 6, None)]
    assert points(model(), events) == 0
    assert points(model(), [*events, said(5, 5, True, **b)]) == 10


def test_what_is_passed_on_is_what_scoring_sees() -> None:
    """Destinations are told no while a withdrawal stands, whatever was said last."""
    story = [
        small.event(1, "view", 9 * DAY, email="a@x.example", consent={"ads": False, "mail": False}),
        small.event(2, "view", 8 * DAY, anonymous_id="desk", consent={"ads": True, "calls": True}),
        small.event(3, "view", 7 * DAY, email="A@x.example", consent={"mail": True}),
    ]
    assert portrait(story).consent == {"ads": False, "mail": True, "calls": True}
    assert portrait([small.event(4, "view", DAY)]).consent is None
    assert portrait([small.event(5, "view", DAY, consent={})]).consent == {}


def test_what_is_kept_of_withdrawals_does_not_grow() -> None:
    """One entry for each who withdrew, however often; of more than there is room for, the newest."""
    compiled = model()
    often = [said(n, 90 - n, False, anonymous_id="phone") for n in range(1, 50)]
    assert len(refold(compiled, often).consent["ads"].withdrawals) == 1
    many = [said(n, 90 - n, False, anonymous_id=f"d{n}") for n in range(1, 50)]
    assert len(refold(compiled, many).consent["ads"].withdrawals) == MOST_WITHDRAWALS


def test_a_state_does_not_tell_who_withdrew() -> None:
    """Identifiers are kept as hashes."""
    who = said(1, 9, False, email="ada@x.example", user_id="user-17")
    kept = msgspec.msgpack.encode(refold(model(), [who]).consent)
    assert b"ada" not in kept
    assert b"user-17" not in kept


def test_left_out_events_use_up_no_limit_and_open_nothing() -> None:
    """For a rule, what it is not shown did not happen: neither for limits, nor repetitions, nor sequences."""
    rules = small.rule("once", "event: click, points: 10, purpose: ads, limit: {times: 1, per: ever}")
    rules += small.rule("twice", "event: click, points: 1, purpose: ads, repeat: {times: 2, within: 90d}")
    rules += small.rule("then", "event: view, points: 2, purpose: ads, after: {event: click, within: 90d}")
    consent = f"  purposes: {{ads: {{{LABEL}}}}}\n"
    compiled = small.model(engagement=rules, consent=consent)
    events = [said(1, 9, None), said(2, 8, True), said(3, 7, None, name="view")]
    found = evaluate(compiled, refold(compiled, events), small.NOW)
    assert {line.rule: (line.points, line.count) for line in found.contributions} == {
        "once": (10, 1),
        "then": (2, 1),
        "consent ads": (0, 1),
    }
    assert points(compiled, events[:1] + events[2:]) == 0


def test_two_models_with_other_policies_share_a_timeline() -> None:
    """The same purpose, kept for ever by one and from then on by the other: each sees its own."""
    pair = model("for_ever", "granted"), model("from_then_on", "denied")
    timeline = Timeline(Chart(*pair), AGAIN)
    for count in range(len(AGAIN) + 1):
        for each in pair:
            assert timeline.under(each).state(count) == refold(each, AGAIN[:count])


def test_models_without_consent_keep_their_key() -> None:
    """A purpose that no rule needs changes nothing that is stored; one that a rule needs does."""
    rules = small.rule("click", "event: click, points: 10")
    plain = small.model(engagement=rules)
    declared = small.model(engagement=rules, consent=f"  purposes: {{ads: {{{LABEL}}}}}\n")
    assert plain.fold_key == declared.fold_key
    assert refold(declared, CLICKS).encode() == refold(plain, CLICKS).encode()
    keys = {model(w, u).fold_key for w in ("from_then_on", "for_ever") for u in ("granted", "denied")}
    assert len(keys | {plain.fold_key}) == 5


def test_somebody_who_objects_has_no_score_whatever_the_model_says() -> None:
    """Not even what holds of people of whom nothing is known, or a lower bound that lifts everybody."""
    rules = small.rule("unknown", "when: {country: {exists: false}}, points: 30", group="who")
    compiled = small.model(fit=rules)
    events = [said(1, 9, None), small.event(2, "person.objected", 8 * DAY), said(3, 7, None)]
    state = refold(compiled, events)
    assert has_objected(state)
    assert (state.rules, state.attributes, state.events) == ({}, {}, 3)
    found = evaluate(compiled, state, small.NOW)
    assert (found.total, found.dimensions, found.grade) == (0, {"fit": 0, "engagement": 0}, "D4")
    assert points(compiled, events[:1]) == 30


DEFAULT = "  default: ads\n"


def test_a_model_may_have_a_purpose_for_every_rule() -> None:
    """A rule that says nothing needs it; `none` frees a rule."""
    rules = "".join(
        small.rule(name, f"event: {name}, points: 1{rest}")
        for name, rest in (
            ("a", ""),
            ("b", ", purpose: none"),
            ("c", ", purpose: calls"),
        )
    )
    purposes = f"  purposes: {{ads: {{{LABEL}}}, calls: {{{LABEL}}}}}\n"
    compiled = small.model(engagement=rules, consent=purposes + DEFAULT)
    assert [rule.purpose and rule.purpose.id for rule in compiled.engagement] == ["ads", None, "calls"]
    assert [each.id for each in compiled.model.purposes] == ["ads", "calls"]
    first = compiled.model.purposes[0]
    assert first == Purpose(id="ads", label={"en": "Ads", "de": "Werbung"})


@pytest.mark.parametrize(
    ("consent", "purpose", "mistake"),
    [
        (
            None,
            "ads",
            'rule "click": unknown purpose "ads". Purposes: there are none. Declare it under consent',
        ),
        (
            f"  purposes: {{ads: {{{LABEL}}}}}",
            "asd",
            'unknown purpose "asd". Purposes: ads. Did you mean "ads"?',
        ),
        (f"  default: x\n  purposes: {{ads: {{{LABEL}}}}}", "ads", 'consent, default: unknown purpose "x"'),
        (f"  purposes: {{none: {{{LABEL}}}}}", "none", '"none" is what a rule says that needs no consent'),
        (f"  purposes: {{ads: {{{LABEL}, withdrawal: never}}}}", "ads", "withdrawal"),
        ("  default: ads", "ads", "purposes"),
    ],
)
def test_a_mistake_about_purposes_is_told_with_what_would_work(
    consent: str | None, purpose: str, mistake: str
) -> None:
    """The name that was seen, and the names there are."""
    sections = {"engagement": small.rule("click", f"event: click, points: 1, purpose: {purpose}")}
    with pytest.raises(Misconfigured) as refused:
        small.model(**sections, **({"consent": consent} if consent else {}))
    assert mistake in str(refused.value)


def test_a_purpose_that_decides_nothing_is_warned_about() -> None:
    """One that no rule needs; and a rule that only takes points, from which whoever withdraws would gain."""
    text = small.BASE + "engagement:\n" + small.rule("spam", "event: spam, points: -5, purpose: ads")
    text += small.rule("good", "event: good, points: 5, purpose: ads")
    text += f"consent:\n  purposes:\n    ads: {{{LABEL}}}\n    calls: {{{LABEL}}}\n"
    found = [each for each in warnings(text) if "purpose" in each or "spared" in each or "consent" in each]
    assert [each.partition(": ")[2] for each in found] == [
        (
            'rule "spam": it only takes points, and whoever does not agree to ads is spared them. '
            "Write purpose: none"
        ),
        "consent, purposes, calls: no rule needs it. Name it in a rule, or remove it",
    ]


def test_a_fast_replay_passes_no_objection_by() -> None:
    """Fit alone made an MQL; taken back, the objection has cost it: both replays see it leave."""
    compiled = small.model(
        fit=small.rule("size", "when: {size: 2}, points: 30", group="who"),
        stages=small.stage("mql", "enter: {at_least: {score: 20}}, leave: {below: {score: 10}, to: lead}"),
    )
    who = {"user_id": "u"}  # an address would be news by itself
    story = [
        small.event(1, "page.viewed", 9 * DAY, traits={"size": 2}, **who),
        small.event(2, "person.objected", 8 * DAY, **who),
        small.event(3, "page.viewed", 7 * DAY, **who),
        small.event(4, "person.objection_withdrawn", 6 * DAY, **who),
        *(small.event(n, "page.viewed", DAY, **who) for n in range(5, 9)),
    ]
    lived = live(compiled, story, small.NOW)
    replayed = fast_replay(Timeline(Chart(compiled), story).under(compiled), small.NOW)
    assert [step.transition.stage for step in lived.steps] == ["lead", "mql", "lead"]
    assert (replayed.steps, replayed.ledger, replayed.state) == (lived.steps, lived.ledger, lived.state)
