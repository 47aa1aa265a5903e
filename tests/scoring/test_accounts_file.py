"""The section `accounts:` of a model file: what it says, its mistakes, its doubts, its differences."""

import pytest

from shared.config_file import parse
from shared.errors import Misconfigured
from shared.scoring.definition.accounts import Accounts
from shared.scoring.engine.compiled import Compiled
from shared.scoring.file.read import load_model, read_model
from shared.scoring.lint.lint import lint
from shared.scoring.words.model_diff import model_diff
from tests.scoring.small import BASE, rule

RULES = "lists:\n  free-mail: [gmail.com, GMX.de]\n"
RULES += "engagement:\n" + rule("a", "event: a, points: 60, half_life: 9d, limit: {times: 1, per: ever}")
RULES += "fit:\n" + rule("f", "when: {a: 1}, points: 30", group="who")
SECTION = """\
accounts:
  private_domains: [free-mail]
  stages:
    engaged:
      label: {en: Engaged, de: Aktiv}
      enter: {at_least: {score: 40, active_people: 1}}
      leave: {below: {score: 25}}
    hot:
      label: {en: Hot, de: Heiss}
      enter:
        - at_least: {score: 70, active_people: 2}
      leave:
        - below: {score: 50}
        - below: {active_people: 1}
"""


def loaded(section: str = SECTION) -> Compiled:
    return load_model(BASE + RULES + section, file="m.yaml")


def said(section: str) -> Accounts:
    accounts = loaded(section).model.accounts
    assert accounts
    return accounts


def doubts(section: str) -> list[str]:
    return [
        doubt.partition(": ")[2] for doubt in lint(read_model(parse(BASE + RULES + section, file="m.yaml")))
    ]


def changed(before: str, after: str) -> str:
    assert SECTION.count(before) == 1, "the change must hit one place"
    return SECTION.replace(before, after)


def test_without_the_section_a_model_has_no_accounts() -> None:
    """Nothing is assumed of a model that does not say it wants them."""
    assert loaded("").model.accounts is None


def test_the_section_in_its_shortest_form() -> None:
    """The best person's score, thirty days, and only what is private has to be said."""
    accounts = said("accounts: {private_domains: free-mail}\n")
    assert (accounts.sums, accounts.limit, accounts.active_within_s) == (False, 100, 30 * 86_400)
    assert accounts.private_domains == {"gmail.com", "gmx.de"}
    assert accounts.stages == ()


def test_the_section_in_full() -> None:
    """A sum with its limit, another time, stages in the order of the file with one or several lines."""
    accounts = said(changed("accounts:\n", "accounts:\n  score: {sum_up_to: 250}\n  active_within: 2w\n"))
    assert (accounts.sums, accounts.limit, accounts.active_within_s) == (True, 250, 14 * 86_400)
    assert [stage.name for stage in accounts.stages] == ["engaged", "hot"]
    assert accounts.stages[0].enter == ({"score": 40, "active_people": 1},)
    assert accounts.stages[1].leave == ({"score": 50}, {"active_people": 1})


def test_accounts_change_nothing_about_what_is_kept_of_leads() -> None:
    """Publishing the section refolds nobody."""
    assert loaded().fold_key == loaded("").fold_key


MISTAKES = {
    "no lists": ("  private_domains: [free-mail]\n", "", 'accounts: "private_domains" is missing'),
    "an unknown list": (
        "[free-mail]",
        "[free-mial]",
        'unknown list "free-mial". Lists: free-mail. Did you mean "free-mail"?',
    ),
    "another score": ("accounts:\n", "accounts:\n  score: worst\n", "expected best, or {sum_up_to: 100}"),
    "a sum of nothing": (
        "accounts:\n",
        "accounts:\n  score: {sum_up_to: 0}\n",
        "sum_up_to: must be greater than or equal to 1; seen: 0",
    ),
    "another measure": (
        "score: 40, active",
        "points: 40, active",
        'must be one of active_people, score; seen: "points"',
    ),
    "a line of nothing": ("{score: 25}", "{score: 0}", "must be greater than or equal to 1; seen: 0"),
    "no line": ("      enter: {at_least: {score: 40, active_people: 1}}\n", "", '"enter" is missing'),
    "no stage by name": ("engaged:", "none:", '"none" is where an account stands that is on no line'),
    "an unknown key": ("leave: {below: {score: 25}}", "exit: {below: {score: 25}}", 'unknown key "exit"'),
}


@pytest.mark.parametrize(("before", "after", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_each_mistake_has_its_message(before: str, after: str, message: str) -> None:
    """The line, what was seen, and what would work."""
    with pytest.raises(Misconfigured) as caught:
        loaded(changed(before, after))
    assert any(message in problem for problem in caught.value.problems), caught.value.problems


def test_a_mistake_in_the_section_hides_no_mistake_elsewhere() -> None:
    """Both are told at once."""
    text = BASE + RULES.replace("group: did", "group: dit") + changed("score: 25", "score: x")
    with pytest.raises(Misconfigured) as caught:
        load_model(text, file="m.yaml")
    assert len(caught.value.problems) == 2


def test_a_sensible_section_raises_no_doubts() -> None:
    """Neither about its stages, nor about the list that only it uses."""
    assert doubts(SECTION) == []


DOUBTS = {
    "out of reach": (
        "score: 70",
        "score: 95",
        ("accounts, stages, hot: no account can reach score 95, the most is 90. Lower the line",),
    ),
    "never left": (
        "      leave: {below: {score: 25}}\n",
        "",
        (
            (
                "accounts, stages, engaged: nothing leaves it, however far the score falls. "
                "Add leave: with a lower line"
            ),
        ),
    ),
    "no hysteresis": (
        "{score: 25}",
        "{score: 40}",
        (
            (
                "accounts, stages, engaged: entered at score 40, left below 40: accounts would come and go. "
                "Leave at a lower line, such as 30"
            ),
        ),
    ),
    "as many people": (
        "below: {active_people: 1}",
        "below: {active_people: 2}",
        (
            (
                "accounts, stages, hot: entered at active people 2, left below 2: accounts would come and "
                "go. Leave at a lower line, such as 1"
            ),
        ),
    ),
    "the order": (
        "score: 70, active_people: 2",
        "score: 30",
        (
            (
                'accounts, stages, engaged: whoever is on its line is on that of the later stage "hot" too, '
                "and passes it by. Put the higher line later"
            ),
            (
                "accounts, stages, hot: entered at score 30, left below 50: accounts would come and go. "
                "Leave at a lower line, such as 20"
            ),
        ),
    ),
    "nothing is private": (
        "[free-mail]",
        "[]",
        (
            'list "free-mail": no condition looks into it. Use it, or remove it',
            (
                "accounts, private_domains: without a list, everybody at gmail.com is one company. "
                "Add private_domains: [free-mail]"
            ),
        ),
    ),
}


@pytest.mark.parametrize(("before", "after", "told"), DOUBTS.values(), ids=DOUBTS.keys())
def test_each_doubt_is_told(before: str, after: str, told: tuple[str, ...]) -> None:
    """What the author can hardly have meant, and what to do about it."""
    assert sorted(doubts(changed(before, after))) == sorted(told)


def test_below_one_active_person_is_as_low_as_people_can_be() -> None:
    """Entered with one, left without any: nobody could write a lower line."""
    several = "leave: [{below: {score: 25}}, {below: {active_people: 1}}]"
    assert doubts(changed("leave: {below: {score: 25}}", several)) == []


def test_a_sum_may_go_beyond_what_one_person_can_reach() -> None:
    """Up to its limit, and no further."""
    summed = "accounts:\n  score: {sum_up_to: 150}\n"
    assert doubts(changed("accounts:\n", summed).replace("score: 70", "score: 150")) == []
    assert len(doubts(changed("accounts:\n", summed).replace("score: 70", "score: 151"))) == 1


def test_a_difference_is_told_in_words() -> None:
    """Section and stages are parts of a model that two versions are compared by."""

    def differences(after: str) -> list[tuple[str, str, str, list[str]]]:
        found = model_diff((loaded().model, {}), (loaded(after).model, {}))
        return [(one.kind, one.name, one.change, [detail.after for detail in one.details]) for one in found]

    assert differences(changed("score: 25", "score: 20")) == [
        ("accounts", "engaged", "changed", ["score below 20"])
    ]
    assert differences(changed("accounts:\n", "accounts:\n  active_within: 2w\n")) == [
        ("accounts", "", "changed", ["14d"])
    ]
    assert [one[:3] for one in differences("")] == [
        ("accounts", "", "removed"),
        ("accounts", "engaged", "removed"),
        ("accounts", "hot", "removed"),
    ]
