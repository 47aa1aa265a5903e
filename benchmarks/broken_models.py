"""How long `leadscore model check` takes to refuse each broken model file that we know.

In: tests/scoring/broken.py and broken_yaml.py, written into a folder of its own. Out: the slowest answers,
beside what the same command takes for the model that ships; in processor time, because the clock on the
wall also measures whoever else uses the machine. Refuses to call it good (exit code 1) if an answer takes a
second, is no refusal, or anything in the folder has changed.

    .venv/bin/python -m benchmarks.broken_models
"""

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.scoring import broken, broken_yaml

SHIPPED = Path(__file__).resolve().parents[1] / "deploy" / "config" / "scoring.yaml"
MOST_S = 1.0


def texts() -> Iterator[tuple[str, str]]:
    """Every broken file, by name."""
    for name, (before, after, _) in (broken.BAD | broken_yaml.BAD).items():
        yield name, broken.GOOD.replace(before, after)
    for name, (text, _) in broken_yaml.WHOLE.items():
        yield name, text


def check(file: Path) -> tuple[float, int]:
    """Seconds of processor time and exit code of the real command, the start of Python included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "model", "check", str(file)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime), done.returncode


def main() -> int:
    """Check them all, and say which were slowest."""
    print(
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )
    shipped_s = min(check(SHIPPED)[0] for _ in range(3))
    with TemporaryDirectory() as folder:
        took, bad = measured(Path(folder))
    median_s = took[len(took) // 2][0]
    print(f"{len(took)} broken files, median {median_s:.2f} s; the model that ships {shipped_s:.2f} s")
    for duration_s, name in took[:5]:
        print(f"  {duration_s:.2f} s  {duration_s / shipped_s:.1f} x  {name}")
    print("\n".join(bad) or "each refused in less than a second, and nothing changed")
    return 1 if bad else 0


def measured(folder: Path) -> tuple[list[tuple[float, str]], list[str]]:
    """How long each took, the slowest first, and what was wrong."""
    took, bad = [], []
    for name, text in texts():
        file = folder / "scoring.yaml"
        content = text.encode(errors="surrogatepass")
        file.write_bytes(content)
        duration_s, code = check(file)
        took.append((duration_s, name))
        if duration_s >= MOST_S or code != 2:
            bad.append(f"{name}: {duration_s:.2f} s, exit code {code}")
        if file.read_bytes() != content or len(list(folder.iterdir())) != 1:
            bad.append(f"{name}: something was written")
    return sorted(took, reverse=True), bad


if __name__ == "__main__":
    sys.exit(main())
