"""Traces: who decides what is traced, what goes on, what nonsense does; and that off costs nothing."""

import asyncio
import subprocess
import sys
from typing import Final

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.errors import Misconfigured
from shared.settings import ServiceSettings, load
from shared.traces import open_traces
from shared.traces.otel import Traces

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED: Final = f"00-{TRACE}-00f067aa0ba902b7-01"
NOT_SAMPLED: Final = f"00-{TRACE}-00f067aa0ba902b7-00"
NONSENSE: Final = (
    *("", "nonsense", "00", SAMPLED[:-1], SAMPLED.replace("4b", "zz"), f"ff{SAMPLED[2:]}", "\xff" * 55),
    *(f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{TRACE}-{'0' * 16}-01", SAMPLED * 100),
)


def traces(ratio: float) -> Traces:
    """Traces that are kept in memory."""
    return Traces("test", "http://127.0.0.1:9", ratio, SimpleSpanProcessor(InMemorySpanExporter()))


@pytest.mark.parametrize(
    ("ratio", "parent", "kept"),
    [
        (0, "", False),
        (1, "", True),
        (0, SAMPLED, True),
        (1, NOT_SAMPLED, False),
        *((0, parent, False) for parent in NONSENSE),
        *((1, parent, True) for parent in NONSENSE),
    ],
)
def test_a_trace_begins_by_the_senders_flag_or_else_by_the_ratio(
    ratio: float, parent: str, *, kept: bool
) -> None:
    """Nonsense is nobody's flag."""
    span = traces(ratio).begin("request", "server", parent, {})
    assert (span is not None) == kept
    if span is not None and parent == SAMPLED:
        assert span.traceparent.startswith(f"00-{TRACE}-")
        assert span.traceparent.endswith("-01")
        assert span.traceparent != SAMPLED


@pytest.mark.parametrize("parent", ["", NOT_SAMPLED, *NONSENSE])
def test_nothing_is_followed_that_is_not_traced(parent: str) -> None:
    """Scorer and router begin no trace, whatever the ratio is."""
    assert traces(1).follow("process", "consumer", parent, {}) is None


def test_what_is_traced_is_followed_whatever_the_ratio() -> None:
    """The decision of ingest holds everywhere."""
    span = traces(0).follow("process", "consumer", SAMPLED, {})
    assert span is not None
    assert span.traceparent.startswith(f"00-{TRACE}-")


def test_without_an_endpoint_nothing_is_imported() -> None:
    """Neither the SDK nor an exporter, by any of the three services."""
    program = """
import sys
import services.ingest.__main__, services.scorer.__main__, services.router.__main__
from shared.settings import ServiceSettings
from shared.traces import open_traces
assert open_traces("ingest", ServiceSettings()) is None
print([one for one in sys.modules if one.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_endpoint_without_the_sdk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot do what it was told to do does not start."""
    monkeypatch.setitem(sys.modules, "shared.traces.otel", None)
    settings = load(ServiceSettings, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    with pytest.raises(Misconfigured, match=r"Install leadscore\[traces\]"):
        open_traces("ingest", settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"), ("OTEL_TRACES_SAMPLER_ARG", "1.5")],
)
def test_wrong_settings_are_told(name: str, value: str) -> None:
    """Both by the variable's name."""
    with pytest.raises(Misconfigured, match=name):
        load(ServiceSettings, {name: value})


@pytest.mark.asyncio
async def test_a_collector_that_is_away_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans that nobody takes are dropped; a process ends without them."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    away = Traces("test", "http://127.0.0.1:9", 1)
    span = away.begin("request", "server", "", {})
    assert span is not None
    span.end({}, name="POST batch", failed="503")
    await away.stop()
    # It would go on trying in the background, by chance, which Hypothesis in another test takes for its own.
    await asyncio.to_thread(away._provider.shutdown)
