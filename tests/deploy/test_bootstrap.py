"""`make setup`: which Python, which way, what it says when nothing works, and that it is done once."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.servers import REPOSITORY

_TOOLS = ("sh", "cat", "cksum", "dirname", "flock", "mkdir", "rm", "cp", "chmod")

# A Python as far as environment.sh can tell. It writes down what it is asked for, and can lack venv or pip.
_PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$1 $2" in
    "--version ") echo "Python {version}" ;;
    "-c "*print*) echo "{version}" ;;
    "-c "*version_info*) exit {too_old} ;;
    "-m venv") {venv} ;;
    "-m pip") {pip} ;;
esac
"""
_MAKE_VENV = 'mkdir -p .venv/bin && cp "$0" .venv/bin/python && chmod +x .venv/bin/python'
_GET_UV = 'mkdir -p .tools/bin && cp "$UV" .tools/bin/uv && chmod +x .tools/bin/uv'


class Checkout:
    """A checkout with only what environment.sh reads, on a machine with only what the test puts on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.calls = folder / "calls"
        self._path = folder / "path"
        self._path.mkdir()
        for name in (*_TOOLS, "basename"):
            if found := shutil.which(name):
                (self._path / name).symlink_to(found)
        for name in ("deploy/bootstrap/environment.sh", "deploy/locks/dev.txt", "pyproject.toml"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, self.folder / name)

    def add_python(
        self, name: str = "python3", *, version: str = "3.12", venv: str = _MAKE_VENV, pip: str = "exit 0"
    ) -> Path:
        too_old = int(tuple(map(int, version.split("."))) < (3, 11))
        return self._add(name, _PYTHON.format(version=version, too_old=too_old, venv=venv, pip=pip))

    def add_uv(self, *, works: bool) -> None:
        self._add("uv", self.uv(works=works))

    def uv(self, *, works: bool) -> str:
        """A uv that makes a .venv, or one that cannot."""
        made = "mkdir -p .venv/bin && printf '#!/bin/sh\\n' >.venv/bin/python && chmod +x .venv/bin/python"
        return f'#!/bin/sh\necho "uv $*" >>"$CALLS"\n{made if works else "exit 1"}\n'

    def setup(self, **environment: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return subprocess.run(
            [self.folder / "deploy/bootstrap/environment.sh"],
            env={"PATH": str(self._path), "CALLS": str(self.calls)} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()

    def _add(self, name: str, text: str) -> Path:
        program = self._path / name
        program.write_text(text)
        program.chmod(0o755)
        return program


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh clone on a machine without Python."""
    return Checkout(tmp_path)


def test_no_python_is_one_sentence(checkout: Checkout) -> None:
    """The message says what to install, and how to name one."""
    done = checkout.setup()
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no Python >= 3.11 on PATH" in done.stderr
    assert "LEADSCORE_PYTHON" in done.stderr


def test_an_old_python_is_passed_over(checkout: Checkout) -> None:
    """A python3 that is too old does not hide a newer one under another name."""
    checkout.add_python("python3", version="3.9")
    newer = checkout.add_python("python3.12", version="3.12")
    done = checkout.setup()
    assert done.returncode == 0, done.stderr
    assert f"Making .venv with Python 3.12 ({newer})" in done.stderr


def test_an_old_python_by_name_is_a_mistake(checkout: Checkout) -> None:
    """LEADSCORE_PYTHON is an order: it is not replaced by another."""
    checkout.add_python("python3", version="3.12")
    old = checkout.add_python("python3.9", version="3.9")
    done = checkout.setup(LEADSCORE_PYTHON=str(old))
    assert done.returncode == 1
    assert f"LEADSCORE_PYTHON={old} is no Python >= 3.11" in done.stderr
    assert not (checkout.folder / ".venv").exists()


def test_uv_is_used_where_it_is(checkout: Checkout) -> None:
    """With uv on PATH, uv makes the environment: hashes required, the project installed in place."""
    checkout.add_python()
    checkout.add_uv(works=True)
    assert checkout.setup().returncode == 0
    calls = [call for call in checkout.called() if call.startswith("uv")]
    assert [call.split()[1] for call in calls] == ["venv", "pip", "pip"]
    assert "--require-hashes -r deploy/locks/dev.txt" in calls[1]
    assert "--offline --no-deps --no-build-isolation --editable ." in calls[2]


def test_without_uv_pip_does_it(checkout: Checkout) -> None:
    """Python's own venv and pip: hashes required, the project installed without the network."""
    checkout.add_python()
    assert checkout.setup().returncode == 0
    pips = [call for call in checkout.called() if "-m pip" in call]
    assert "install --quiet --require-hashes -r deploy/locks/dev.txt" in pips[0]
    assert "--no-index --no-deps --no-build-isolation --editable ." in pips[1]


def test_a_uv_that_fails_does_not_end_it(checkout: Checkout) -> None:
    """Where uv cannot (a mirror only pip knows of), pip is tried."""
    checkout.add_python()
    checkout.add_uv(works=False)
    assert checkout.setup().returncode == 0
    assert any("-m pip" in call for call in checkout.called())


def test_a_python_without_venv_fetches_uv_into_a_folder(checkout: Checkout, tmp_path: Path) -> None:
    """Debian without python3-venv: pip puts uv into .tools, and the system is not touched."""
    (tmp_path / "uv-to-fetch").write_text(checkout.uv(works=True))
    checkout.add_python(venv="exit 1", pip=_GET_UV)
    done = checkout.setup(UV=str(tmp_path / "uv-to-fetch"))
    assert done.returncode == 0, done.stderr
    assert any(
        "-m pip --disable-pip-version-check install --quiet --target .tools uv" in call
        for call in checkout.called()
    )


def test_when_nothing_works_the_ways_out_are_named(checkout: Checkout) -> None:
    """Neither venv nor pip: one sentence, and no half-made environment that looks ready."""
    checkout.add_python(venv="exit 1", pip="exit 1")
    done = checkout.setup()
    assert done.returncode == 1
    assert "install python3-venv or uv, or name another Python in LEADSCORE_PYTHON" in done.stderr
    assert not (checkout.folder / ".venv" / "leadscore.stamp").exists()


def test_the_second_time_nothing_is_done(checkout: Checkout) -> None:
    """A .venv that fits the lock file is left alone: no network, no word."""
    checkout.add_python()
    checkout.setup()
    again = checkout.setup()
    assert (again.returncode, again.stderr) == (0, "")
    assert checkout.called() == ["python -c "]


@pytest.mark.parametrize("changed", ["deploy/locks/dev.txt", "pyproject.toml"])
def test_another_lock_file_makes_it_anew(checkout: Checkout, changed: str) -> None:
    """After a pull that changes what is needed, the next make brings it."""
    checkout.add_python()
    checkout.setup()
    with (checkout.folder / changed).open("a") as file:
        file.write("# changed\n")
    assert "Making .venv" in checkout.setup().stderr
    assert checkout.setup().stderr == ""


@pytest.mark.parametrize("name", ["dev", "ingest", "scorer", "router", "cli", "build"])
def test_lock_files_pin_hashes_and_name_no_address(name: str) -> None:
    """Exact versions and hashes; where packages come from is each machine's matter."""
    text = (REPOSITORY / f"deploy/locks/{name}.txt").read_text()
    assert "://" not in text
    pinned = [line for line in text.splitlines() if line and line[0] not in " #"]
    assert all("==" in line for line in pinned)
    assert all("--hash=sha256:" in block for block in _blocks(text))


@pytest.mark.parametrize(
    ("name", "extra"), [("dev", "embedded"), ("ingest", "ingest"), ("router", "router"), ("cli", "cli")]
)
def test_lock_files_have_what_pyproject_asks_for(name: str, extra: str) -> None:
    """A dependency added to pyproject.toml and not locked would be missing on every fresh machine."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"][extra]]
    if name == "dev":
        wanted += project["dependency-groups"]["dev"]
    locked = {
        block.split("==")[0].split("[")[0]
        for block in _blocks((REPOSITORY / f"deploy/locks/{name}.txt").read_text())
    }
    names = {each.split(">")[0].split("[")[0].split("=")[0].lower() for each in wanted}
    assert names - {"leadscore"} <= locked


def _blocks(text: str) -> list[str]:
    """One text for each requirement: its line and the hashes below."""
    blocks: list[str] = []
    for line in text.splitlines():
        if line[:1].isalnum():
            blocks.append(line)
        elif blocks and line.strip().startswith("--hash"):
            blocks[-1] += line
    return blocks


def test_make_help_lists_every_target() -> None:
    """Each target has its explanation in the Makefile itself."""
    targets = [
        line.split(":")[0]
        for line in (REPOSITORY / "Makefile").read_text().splitlines()
        if line[:1].islower() and ":" in line
    ]
    # Under `make test` this is a make within a make, which would announce its directory.
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[0] for line in shown.splitlines()] == targets
