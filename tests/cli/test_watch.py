"""What `make watch` tells Prometheus, and what it says where it cannot."""

from pathlib import Path

import pytest
import yaml

from services.cli import prometheus
from services.cli.installation import Installation
from services.cli.watch import configuration, main
from shared.errors import Misconfigured

KNOWN = {
    "LEADSCORE_INGEST_ADMIN_PORT": "18091",
    "LEADSCORE_SCORER_ADMIN_PORT": "18092",
    "LEADSCORE_ROUTER_ADMIN_PORT": "18093",
}


def test_the_committed_configuration_is_used_with_the_addresses_of_this_machine() -> None:
    """The jobs keep their names, which the alerts go by; targets, rules and the pace are this machine's."""
    text = prometheus.CONFIGURATION.read_text()
    made = configuration(text, KNOWN, interval="1s", rules=Path("/rules"))
    assert {job["job_name"]: job["static_configs"] for job in made["scrape_configs"]} == {
        "leadscore-ingest": [{"targets": ["127.0.0.1:18091"]}],
        "leadscore-scorer": [{"targets": ["127.0.0.1:18092"]}],
        "leadscore-router": [{"targets": ["127.0.0.1:18093"]}],
    }
    assert made["rule_files"] == ["/rules/*.yml"]
    assert made["global"] == {"scrape_interval": "1s", "evaluation_interval": "1s"}
    assert yaml.safe_load(text)["rule_files"] == ["rules/*.yml"]


def test_a_machine_on_which_leadscore_never_ran_is_told_what_to_type() -> None:
    """Without addresses there is nothing to watch."""
    with pytest.raises(Misconfigured, match=r"LEADSCORE_INGEST_ADMIN_PORT is not known.*make run"):
        configuration(prometheus.CONFIGURATION.read_text(), {}, interval="1s", rules=Path("/rules"))


def test_a_machine_without_prometheus_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Neither on the PATH, nor in .tools, nor to be fetched: exit code 2 and a sentence with the command."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LEADSCORE_DATA", str(tmp_path))
    monkeypatch.setattr(prometheus, "TOOLS", tmp_path / "tools")
    Installation(folder=tmp_path).note(KNOWN)
    assert main([]) == 2
    assert "apt-get download prometheus" in capsys.readouterr().err


def test_a_second_watch_is_told_where_the_first_one_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It ends with 2, and touches neither the first one's process nor its remembered port."""
    (tmp_path / "prometheus").write_text("#!/bin/sh\n")
    (tmp_path / "prometheus").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    here = Installation(folder=tmp_path / "data")
    monkeypatch.setenv("LEADSCORE_DATA", str(here.folder))
    here.note(KNOWN)
    with here.claim_watch() as note:
        note("http://127.0.0.1:19090/alerts")
        assert main([]) == 2
    assert "already runs" in (said := capsys.readouterr().err)
    assert "http://127.0.0.1:19090/alerts" in said
    assert not (here.folder / "prometheus").exists()


def test_what_was_unpacked_in_tools_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing has to be put on the PATH by hand."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(prometheus, "TOOLS", tmp_path)
    assert prometheus.find("promtool") is None
    unpacked = tmp_path / "usr" / "bin" / "promtool"
    unpacked.parent.mkdir(parents=True)
    unpacked.write_text("#!/bin/sh\n")
    unpacked.chmod(0o755)
    assert prometheus.find("promtool") == str(unpacked)


def _machine_with_apt(folder: Path, ends_with: int) -> None:
    """An `apt-get` that has the package, and a `dpkg-deb` that unpacks Prometheus and then ends so."""
    half = '/bin/mkdir -p "$3/usr/bin" && cd "$3/usr/bin" && echo half > prometheus && /bin/chmod 755 *'
    for name, does in (("apt-get", "echo > prometheus_1_all.deb"), ("dpkg-deb", f"{half}\nexit {ends_with}")):
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize("code", [0, 2])
def test_only_a_whole_package_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int) -> None:
    """What could not be unpacked to its end (a full disk) is not taken for Prometheus, now or next time."""
    _machine_with_apt(tmp_path, ends_with=code)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(prometheus, "TOOLS", tmp_path / "tools" / "prometheus")
    whole = code == 0
    assert prometheus.fetch() is whole
    assert (prometheus.find("prometheus") is not None) is whole
    assert [each.name for each in (tmp_path / "tools").iterdir()] == ["prometheus"] * whole
