"""Patterns: what is allowed is fast in the worst case, what could hang is refused."""

import time

import pytest

from shared.scoring.definition.patterns import MAX_INPUT_CHARS, BadPatternError, compile_pattern

ALLOWED = [
    "^/(de/|en/)?(pricing|preise)",
    r"\b(ceo|cto|vp|head of)\b",
    "(a|b)+c",
    "^/blog/.*/pricing.*",
    "[0-9]{2,4}",
    "x?y?z?",
    "colou?r",
    "(abc){3}",
    r"(\d{3},)+$",
    "(foo|bar){2}",
    "(colou?r ){1,3}",
    "[a-z]+@",
    "^.*a.*b",
    ".*pricing.*",
    ".*demo.*request.*",
    r"[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}",
    "^/product/[^/]+/[^/]+/?$",
    r"^/blog/\d{4}/\d{2}/",
    r"\b(head|leiter(in)?) .*(marketing|sales)",
    "[^/]+/[^/]+/[^/]+/[^/]+",
    "[^/?]+/[^/?]+/[^/?]+/x",
    r"\w+ \w+ \w+ manager",
]
REFUSED = [
    "(a+)+$",
    "(a*)*",
    "(a|aa)+$",
    "(a?){100}",
    "a.*.*.*x",
    "^.*a.*b.*c",
    r"(a)\1",
    "(?<=a)b",
    "(?!a)b",
    "(?P<n>a)(?P=n)",
    "(?(1)a|b)",
    "[",
    "a{99999999999}",
    "[[a]",
    "((a{1,100}){1,100}){1,100}",
    "^(a?b){10}.*.*x",
    "([^/]+/)+x",
    "[^a]+A[^a]+[^b]+[^c]+x",
    r"\W+\S+\D+x",
    "a.*=[^&]+&",
    ".*+a.*b.*c",
    "a.*b.*c.*",
    "^x|a.*b.*c",
    "(?m)^.*a.*b",
]


@pytest.mark.parametrize("pattern", ALLOWED)
@pytest.mark.parametrize(
    "text", ["a" * 5000, "/blog/" * 500, "ab" * 2000, "/" * 5000, "0" * 5000, "a=" * 2500, "a@a." * 1000]
)
def test_an_allowed_pattern_is_fast_on_hostile_text(pattern: str, text: str) -> None:
    """The bound on steps holds in practice: far below a tenth of a second."""
    search = compile_pattern(pattern).search
    began = time.process_time()
    search(text[:MAX_INPUT_CHARS])
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_could_hang_or_is_broken_is_refused(pattern: str) -> None:
    """At load, with a reason."""
    with pytest.raises(BadPatternError, match=r"Use|At most"):
        compile_pattern(pattern)


def test_case_does_not_matter() -> None:
    """As with every other operator on text."""
    assert compile_pattern("^head of").search("HEAD OF SALES")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (".*pricing.*", "/de/pricing/x", True),
        (".*pricing.*", "/de/preise", False),
        (".*", "", True),
        (".*a|b", "xb", True),
        (r".*\.pdf", "/a.pdf", True),
        (r".*\.pdf", "/apdf", False),
        (".*^a", "ba", False),
    ],
)
def test_what_stands_in_front_of_a_search_changes_nothing(pattern: str, text: str, found: bool) -> None:  # noqa: FBT001
    """A leading `.*` is left out, because a search begins anywhere."""
    assert (compile_pattern(pattern).search(text) is not None) is found
