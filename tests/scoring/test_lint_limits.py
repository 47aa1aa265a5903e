"""What a limit for each value of a field is warned about, and what is none of the linter's business."""

import pytest

from tests.scoring.small import rule
from tests.scoring.test_lint import ACT, FIT, act, text_of, warnings


def limited(field: str, when: str = "", per: str = "day") -> dict[str, str]:
    """The usual rules, and a third one with a limit for each value of this field."""
    condition = f"when: {when}, " if when else ""
    return act(f"event: b, {condition}points: 1, limit: {{times: 1, per: {per}, for_each: {field}}}")


DOUBTFUL = {
    "another value in each event": (
        limited("properties.messageId"),
        (
            "properties.messageId is another one in each event, and so the limit lets everything through. "
            "Name what the event is about, such as properties.email_id"
        ),
    ),
    "a provider's id of the event": (
        limited("properties.sg_event_id"),
        "properties.sg_event_id is another one in each",
    ),
    "a moment": (limited("context.sent_at"), "context.sent_at is another one in each event"),
    "a stamp": (
        limited("properties.Event-Timestamp"),
        "properties.Event-Timestamp is another one in each event",
    ),
    "an id of the click": (limited("context.gclid"), "context.gclid is another one in each event"),
    "an address with its query": (
        limited("page.url"),
        "page.url has the query in it, which makes many values of one page. Use page.path",
    ),
    "the same by its other name": (limited("context.page.search"), "context.page.search has the query in it"),
    "a value that never comes": (
        limited("properties.x", "{properties.x: {exists: false}}"),
        "its events never have properties.x: for_each does nothing. Remove it, or name another field",
    ),
    "always the same value": (
        limited("properties.x", "{properties.x: Y}"),
        'properties.x is always "y" here: for_each does nothing. Remove it',
    ),
    "always the same name": (limited("name"), 'name is always "b" here: for_each does nothing. Remove it'),
    "points that never age, for each of any number": (
        {
            "engagement": ACT
            + rule("b", "event: b, points: 1, limit: {times: 1, per: ever, for_each: properties.x}"),
            "fit": FIT,
        },
        (
            "its points never age and grow with each properties.x. "
            "Add half_life: 30d, or between: with an upper bound"
        ),
    ),
}


@pytest.mark.parametrize(("sections", "warning"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_doubtful_limit_is_warned_about(sections: dict[str, str], warning: str) -> None:
    """One sentence, at the line of the rule; nothing else is doubted but the grades."""
    found = [each for each in warnings(text_of(**sections)) if ": grade: " not in each]
    assert len(found) == 1
    assert found[0].startswith(f'm.yaml:13: rule "b": {warning}')


@pytest.mark.parametrize(
    "sections",
    [
        limited("properties.email_id", per="ever"),
        limited("properties.sg_message_id", per="ever"),
        limited("page.path"),
        limited("properties.url_name"),
        limited("properties.runtime"),
        limited("properties.x", "{properties.x: [a, b]}"),
        limited("page.url", "{page.url: [/a, /b]}"),
        limited("properties.x", "{properties.x: {exists: true}}"),
        {
            "engagement": ACT
            + rule(
                "b",
                "event: b, when: {properties.x: [p, q]}, points: 1, "
                "limit: {times: 1, per: ever, for_each: properties.x}",
            ),
            "fit": FIT,
        },
    ],
)
def test_a_limit_for_each_thing_is_not_doubted(sections: dict[str, str]) -> None:
    """Ids of e-mails and papers, pages by their path, and one of a few values are what it is for."""
    assert [each for each in warnings(text_of(**sections)) if ": grade: " not in each] == []
