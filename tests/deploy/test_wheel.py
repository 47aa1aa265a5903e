"""The wheel has all that run time needs: it is built, installed elsewhere, and runs from another folder.

In: this checkout, its own environment for everything that is not ours. Nothing is fetched.
"""

import asyncio
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import httpx
import pytest

from services.cli.migrate import downgrade
from shared.topics import Topics
from tests.installation import Service
from tests.ports import free_port
from tests.servers import REPOSITORY
from tests.waiting import until


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `pip install` would build it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that has the wheel, and sees the packages of ours beside it."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=60)
    interpreter = home / "bin" / "python"
    site = Path(_said(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    # What an installer does for a wheel without programs. A path in a .pth file is searched, but the .pth
    # files there are not read: this checkout stays out of sight.
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


def _said(*command: Path | str, cwd: Path | None = None, **environment: str) -> str:
    """What a command prints; nothing of the checkout is in its environment."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_nothing_of_the_checkout_is_left_out_or_too_much(wheel: Path) -> None:
    """Every file of the packages and of run time's part of deploy/ is in, and nothing else."""
    folders = ("services", "shared", "deploy/config", "deploy/migrations", "deploy/schemas")
    paths = [path for folder in folders for path in (REPOSITORY / folder).rglob("*") if path.is_file()]
    names = [str(path.relative_to(REPOSITORY)) for path in paths if "__pycache__" not in path.parts]
    wanted = {f"shared/{name}" if name.startswith("deploy/") else name for name in names}
    with zipfile.ZipFile(wheel) as packed:
        carried = {name for name in packed.namelist() if ".dist-info/" not in name}
    assert carried == wanted


def test_the_files_of_the_wheel_are_its_own(python: Path, tmp_path: Path) -> None:
    """Migrations and configuration come from the installed package, not from this checkout."""
    lines = "import shared.deployed as d; print(d.DEPLOY); print(d.shipped('deploy/config/scoring.yaml'))"
    for line in _said(python, "-c", lines, cwd=tmp_path).splitlines():
        assert Path(line).is_relative_to(python.parents[1]), line


def test_the_command_is_installed(python: Path, tmp_path: Path) -> None:
    """The entry point `leadscore` is there, and a model can be tried without any file of one's own."""
    start = "from importlib.metadata import entry_points as e; e(name='leadscore')['leadscore'].load()()"
    told = _said(python, "-c", start, "model", "test", cwd=tmp_path)
    assert "situations hold" in told, told


def test_services_run_from_any_folder(
    python: Path, kafka_server: str, database: str, topics: Topics, tmp_path: Path
) -> None:
    """`migrate`, `topics`, `config`, three services by their defaults: an event that is sent is counted."""
    downgrade(database, "base")
    where = {
        "DATABASE_URL": database,
        "KAFKA_BOOTSTRAP_SERVERS": kafka_server,
        "LEADSCORE_TOPIC_PREFIX": topics.prefix,
        "LEADSCORE_SCORER_GROUP": f"{topics.prefix}scorer",
    }
    cli = (python, "-m", "services.cli")
    assert "the schema is at" in _said(*cli, "migrate", cwd=tmp_path, **where)
    assert "as they should be" in _said(*cli, "topics", cwd=tmp_path, **where)
    _said(*cli, "config", "mine", cwd=tmp_path)
    lines = (tmp_path / "mine" / "leadscore.env").read_text().splitlines()
    secrets = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    asyncio.run(_count_one(python, {**where, **secrets, "PYTHONPATH": ""}, tmp_path))


async def _count_one(python: Path, environment: dict[str, str], folder: Path) -> None:
    """Start the services, send one event, see it counted, stop them."""
    port = free_port()
    services = []
    for name in ("ingest", "scorer", "router"):
        admin = free_port()
        own = {f"LEADSCORE_{name.upper()}_ADMIN_PORT": str(admin), "LEADSCORE_INGEST_PORT": str(port)}
        log = folder / f"{name}.log"
        services.append(Service(name, {**environment, **own}, log, admin, code=folder, python=str(python)))
    try:
        for service in services:
            await service.start()
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"http://127.0.0.1:{port}/v1/track",
                json={"userId": "user-1", "event": "Trial Started"},
                auth=(environment["LEADSCORE_KEY_PRODUCT"], ""),
            )
        assert answer.status_code == 200, answer.text

        async def counted() -> bool:
            return await services[1].metric("leadscore_scorer_events_total") >= 1

        await until(counted, within_s=30)
    finally:
        assert [await service.stop() for service in services] == [0, 0, 0]
