"""What the measurement of the whole path sends, and when."""

import pytest

from benchmarks.path import schedule

KEY = "a-key-of-the-tests"


def test_the_rate_is_kept() -> None:
    """At 200 events a second, 200 requests are due in each whole second once journeys have begun."""
    due = list(schedule(200, 5.0, KEY))
    for second in range(2, 7):
        assert abs(sum(second <= each.at < second + 1 for each in due) - 200) <= 2


def test_in_order_of_time() -> None:
    """Requests come in the order in which they are due."""
    times = [each.at for each in schedule(100, 5.0, KEY)]
    assert times == sorted(times)


def test_nothing_is_looked_at_while_warming_up() -> None:
    """Probes and journeys that are waited for are due after the first three seconds."""
    looked = [each for each in schedule(100, 5.0, KEY) if each.probe or each.journey]
    assert looked
    assert min(each.at for each in looked) >= 3.0


def test_identify_precedes_the_form() -> None:
    """Whoever asks for a demo has identified a second before, with the same cookie and address."""
    due = list(schedule(100, 5.0, KEY))
    forms = [each for each in due if each.journey]
    for form in forms:
        [identify] = [each for each in due if f'"userId": "{form.journey}"'.encode() in each.request]
        assert identify.at == pytest.approx(form.at - 1.0)
        assert f"{form.journey}-cookie".encode() in identify.request
        assert f"{form.journey}-cookie".encode() in form.request
    assert len({form.journey for form in forms}) == len(forms) == 40
