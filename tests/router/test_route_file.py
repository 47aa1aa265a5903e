"""routing.yaml: what it means, and what people are told about their mistakes."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from services.router import route_file
from services.router.decide import Range
from services.router.destinations.kafka_queue import KafkaDestination
from services.router.destinations.webhook import WebhookDestination
from services.router.routing import Routing
from shared.errors import Misconfigured
from tests.router.receiver import OLD_SECRET, SECRET

REFERENCE = Path(__file__).resolve().parents[2] / "deploy" / "config" / "routing.yaml"

HEAD = """\
version: 1
destinations:
  - name: crm
    kind: webhook
    url: ${URL}
    secrets: ["${SECRET}", "${OLD}"]
    allow_networks: [10.0.0.0/8]
  - name: queue
    kind: kafka
    language: de
"""
GOOD = (
    HEAD
    + """\
routes:
  - name: all
    when:
      stage: sql
      previous_stage: [mql, sal]
      grade: [A, B1]
      score: {min: 50}
      dimensions: {fit: {max: 30}}
      traits: {country: [DE, AT], employees: {min: 50}, vip: true}
    to: [crm, queue]
    stop: true
"""
)
SET = {"URL": "https://crm.example.com/hook", "SECRET": SECRET}


def parse(text: str, **environment: str) -> Routing:
    return route_file.parse(text, {**SET, **environment})


def problems(text: str, **environment: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        parse(text, **environment)
    return list(caught.value.problems)


def webhook(routing: Routing) -> WebhookDestination:
    one = routing.destinations["crm"]
    assert isinstance(one, WebhookDestination)
    return one


def test_a_good_file_says_what_it_says() -> None:
    """Conditions, destinations and defaults come out as values."""
    routing = parse(GOOD)
    (route,) = routing.routes
    assert route.when.stage == {"sql"}
    assert route.when.previous_stage == {"mql", "sal"}
    assert route.when.grade == {"A", "B1"}
    assert route.when.score == Range(at_least=50)
    assert route.when.dimensions == {"fit": Range(at_most=30)}
    assert route.when.traits == {"country": ("DE", "AT"), "employees": Range(at_least=50), "vip": (True,)}
    assert (route.to, route.stop) == (("crm", "queue"), True)
    assert routing.destinations["queue"] == KafkaDestination(name="queue", language="de", in_flight=64)
    assert webhook(routing).url == SET["URL"]
    assert webhook(routing).allowed == (ip_network("10.0.0.0/8"),)
    assert (webhook(routing).language, webhook(routing).in_flight) == ("en", 8)
    assert routing.active == {"crm", "queue"}


def test_a_webhook_without_its_address_is_off() -> None:
    """An unset url variable switches the destination off, secrets and all; the rest works."""
    routing = route_file.parse(GOOD, {})
    assert routing.active == {"queue"}
    assert not webhook(routing).on


def test_a_webhook_with_an_address_needs_its_first_secret() -> None:
    """Nothing is ever sent unsigned."""
    assert problems(GOOD, SECRET="") == ["routing.yaml:6: SECRET is not set in the environment. Set it"]


def test_a_second_secret_counts_while_it_is_set() -> None:
    """Rotation: both keys while both are set, one when the old one is gone."""
    assert len(webhook(parse(GOOD)).keys) == 1
    assert len(webhook(parse(GOOD, OLD=OLD_SECRET)).keys) == 2


def test_secrets_are_never_printed() -> None:
    """Neither a destination's repr nor a message repeats a key or an address with a token in it."""
    shown = repr(parse(GOOD, URL="https://crm.example.com/hook?token=abc"))
    assert "token" not in shown
    assert str(webhook(parse(GOOD)).keys[0]) not in shown
    (problem,) = problems(GOOD, SECRET="whsec_mistyped")
    assert problem.startswith("routing.yaml:6: ")
    assert "mistyped" not in problem


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("crm.example.com", "is not one"),
        ("ftp://crm.example.com/", "is not one"),
        ("https:///hook", "is not one"),
        ("https://crm.example.com:99999/", "is not one"),
        ("http://crm.example.com/", "http without TLS"),
        ("https://user:pw@crm.example.com/", "holds a user or a password"),
        ("https://crm.example.com/#top", "after #"),
    ],
)
def test_an_address_that_cannot_work_is_refused_at_start(url: str, told: str) -> None:
    """Not at the first delivery."""
    assert [told in problem for problem in problems(GOOD, URL=url)] == [True]


def test_every_mistake_is_told_at_once_with_its_line() -> None:
    """One start, one list, in the order of the file."""
    wrong = """\
version: 1
destinations:
  - name: crm
    kind: webhook
    url: http://127.0.0.1/
    secrets: ["whsec_short"]
    allow_networks: [10.0.0.1/8]
    allow_http: false
    ca_file: /nowhere/ca.pem
  - name: crm
    kind: kafka
  - name: forgotten
    kind: kafka
routes:
  - name: one
    to: [crn]
  - name: one
    to: [crm]
"""
    told = problems(wrong)
    assert [int(problem.split(":")[1]) for problem in told] == [5, 6, 7, 9, 10, 12, 16, 17]
    assert told[6] == (
        'routing.yaml:16: route "one": unknown destination "crn". '
        'Destinations: crm, forgotten. Did you mean "crm"?'
    )


def test_wrong_shapes_do_not_hide_wrong_meanings() -> None:
    """Mistakes of both kinds are in one list, and a broken destination is not called unknown."""
    text = GOOD.replace("[crm, queue]", "[crm, queue, slack]")
    text = text.replace("language: de", "language: fr").replace("10.0.0.0/8", "10.0.0.0/33")
    told = problems(text)
    assert [int(problem.split(":")[1]) for problem in told] == [7, 10, 20]
    assert "not a network" in told[0]
    assert '"fr"' in told[1]
    assert 'unknown destination "slack"' in told[2]


@pytest.mark.parametrize("text", ["", "[]", "routes", "destinations: 3\nroutes: {a: b}", "version: 2"])
def test_a_file_that_is_something_else_is_told_so(text: str) -> None:
    """No traceback, whatever the file holds."""
    assert problems(text)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("stage: mlq", 'seen: "mlq"'),
        ("stages: [mql]", 'unknown key "stages"'),
        ("grade: E1", "E1"),
        ("score: {min: 60, max: 50}", "nothing fits"),
        ("score: {}", "without min and max"),
        ("traits: {employees: {atleast: 3}}", 'unknown key "atleast"'),
    ],
)
def test_a_condition_that_cannot_hold_is_refused(line: str, told: str) -> None:
    """A typing mistake must not become a route that silently never matches: one sentence, one line."""
    (problem,) = problems(HEAD + f"routes:\n  - name: a\n    to: [crm, queue]\n    when:\n      {line}\n")
    assert told in problem
    assert problem.startswith("routing.yaml:15: ")


def test_http_needs_a_network_to_go_to() -> None:
    """allow_http alone would send readable bodies to the public."""
    text = GOOD.replace("    allow_networks: [10.0.0.0/8]\n", "    allow_http: true\n")
    (problem,) = problems(text)
    assert "allow_http without allow_networks" in problem


def test_the_file_of_the_project_is_good() -> None:
    """The reference routing.yaml starts as it is, without a CRM and with one."""
    assert route_file.load(REFERENCE, {}).active == {"sales-queue"}
    environment = {
        "LEADSCORE_CRM_WEBHOOK_URL": "https://crm.example.com/",
        "LEADSCORE_WEBHOOK_SECRET": SECRET,
    }
    assert route_file.load(REFERENCE, environment).active == {"sales-queue", "crm"}


def test_a_missing_file_names_the_setting(tmp_path: Path) -> None:
    """The remedy is in the message."""
    with pytest.raises(Misconfigured, match="LEADSCORE_ROUTER_ROUTING_FILE"):
        route_file.load(tmp_path / "none.yaml", {})


OUTLINE = """
version: 1
destinations:
  - {name: queue, kind: kafka}
  - {name: crm, kind: webhook, url: "${CRM_URL}", secrets: ["${CRM_SECRET}"]}
  - {name: fixed, kind: webhook, url: "https://a.example", secrets: ["${OTHER_SECRET}"], ca_file: /no.pem}
routes:
  - {name: all, when: {stage: mql}, to: [queue, crm, fixed]}
"""


def test_an_outline_needs_no_secret_and_no_certificate() -> None:
    """Who only looks at the routes need not be able to send; what has no address here is off."""
    outline = route_file.outline(OUTLINE, {})
    assert outline.destinations == ("queue", "crm", "fixed")
    assert outline.off == {"crm"}
    assert [route.to for route in outline.routes] == [("queue", "crm", "fixed")]
    assert route_file.outline(OUTLINE, {"CRM_URL": "https://crm.example"}).off == frozenset()


def test_an_outline_has_the_mistakes_of_routes_too() -> None:
    """An unknown destination and a wrong shape are told with their lines, as when the router starts."""
    broken = OUTLINE.replace("to: [queue, crm, fixed]", "to: [queue, crn, fixed]").replace(
        "stage: mql", "stage: mqq"
    )
    with pytest.raises(Misconfigured) as caught:
        route_file.outline(broken, {})
    assert 'unknown destination "crn"' in str(caught.value)
    assert "mqq" in str(caught.value)
