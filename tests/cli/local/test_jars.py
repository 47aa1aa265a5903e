"""Kafka's jars: exactly the listed bytes, fetched once, or one sentence."""

import fcntl
import hashlib
import os
from pathlib import Path
from threading import Event

import pytest

from services.cli.local import jars
from shared.errors import Misconfigured, Transient
from tests.servers import JARS

_BYTES = b"a jar"
_JAR = jars.Jar(
    group="org.example", artifact="thing", version="1.0", sha256=hashlib.sha256(_BYTES).hexdigest()
)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network (a proxy that is not there) and no Maven repository of this user."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_list_is_closed() -> None:
    """46 jars, each once, each with a sha256: Kafka and everything it needs at run time."""
    listed = jars.wanted()
    assert len({jar.file_name for jar in listed}) == len(listed) == 46
    assert all(len(jar.sha256) == 64 for jar in listed)
    assert "kafka_2.13-4.3.1.jar" in {jar.file_name for jar in listed}


def test_jars_of_the_cache_need_no_network(kafka_server: str, offline: None) -> None:
    """What a first start has fetched is all that the second one needs."""
    assert kafka_server
    found = jars.provide(JARS, jars.wanted(), {})
    assert [path.name for path in found] == [jar.file_name for jar in jars.wanted()]


def test_a_jar_of_the_local_maven_repository_is_taken(tmp_path: Path, offline: None) -> None:
    """Where Maven has fetched a jar before, by whatever mirror, it is copied and verified."""
    held = tmp_path / "home/.m2/repository/org/example/thing/1.0/thing-1.0.jar"
    held.parent.mkdir(parents=True)
    held.write_bytes(_BYTES)
    assert jars.provide(tmp_path / "cache", [_JAR], {}) == [tmp_path / "cache" / "thing-1.0.jar"]
    assert [each.name for each in (tmp_path / "cache").iterdir()] == ["thing-1.0.jar"]


def test_a_jar_that_cannot_be_fetched_is_one_sentence_with_the_ways_out(
    tmp_path: Path, offline: None
) -> None:
    """The message names the jar and both ways out, and leaves nothing half-fetched."""
    with pytest.raises(Misconfigured) as caught:
        jars.provide(tmp_path / "cache", [_JAR], {})
    message = str(caught.value)
    assert "thing-1.0.jar could not be fetched" in message
    assert "LEADSCORE_KAFKA_JARS" in message
    assert "KAFKA_BOOTSTRAP_SERVERS" in message
    assert "\n" not in message
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_jar_is_fetched_once_it_is_told_to_stop(tmp_path: Path) -> None:
    """Ctrl-C in the first start does not wait for all that is left, and leaves nothing half-fetched."""
    stop = Event()
    stop.set()
    with pytest.raises(Transient, match="was stopped"):
        jars.provide(tmp_path, [_JAR], {}, stop)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_fetch_are_removed(tmp_path: Path) -> None:
    """Only those: a fetch that another process is at holds a lock on its folder."""
    (tmp_path / _JAR.file_name).write_bytes(_BYTES)
    (tmp_path / "fetching-killed").mkdir()
    (tmp_path / "fetching-alive").mkdir()
    alive = os.open(tmp_path / "fetching-alive", os.O_RDONLY)
    fcntl.flock(alive, fcntl.LOCK_EX)
    jars.provide(tmp_path, [_JAR], {})
    assert {each.name for each in tmp_path.iterdir()} == {"fetching-alive", _JAR.file_name}
    os.close(alive)


def test_other_bytes_than_listed_are_refused(tmp_path: Path) -> None:
    """A file under the right name with other content is never run."""
    (tmp_path / _JAR.file_name).write_bytes(b"another jar")
    with pytest.raises(Misconfigured, match=r"thing-1\.0\.jar is not the file that kafka-jars\.txt lists"):
        jars.provide(tmp_path, [_JAR], {})


def test_other_bytes_fetched_never_reach_the_cache(tmp_path: Path, offline: None) -> None:
    """A repository that gives something else than listed leaves the cache empty."""
    held = tmp_path / "home/.m2/repository/org/example/thing/1.0/thing-1.0.jar"
    held.parent.mkdir(parents=True)
    held.write_bytes(b"another jar")
    with pytest.raises(Misconfigured, match="is not the file"):
        jars.provide(tmp_path / "cache", [_JAR], {})
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_of_ones_own_is_used_and_verified(tmp_path: Path, offline: None) -> None:
    """LEADSCORE_KAFKA_JARS replaces the cache; what it lacks is named, not fetched."""
    given = {"LEADSCORE_KAFKA_JARS": str(tmp_path)}
    with pytest.raises(Misconfigured, match=r"lacks thing-1\.0\.jar"):
        jars.provide(tmp_path / "cache", [_JAR], given)
    (tmp_path / _JAR.file_name).write_bytes(_BYTES)
    assert jars.provide(tmp_path / "cache", [_JAR], given) == [tmp_path / "thing-1.0.jar"]
