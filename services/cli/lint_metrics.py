"""What Prometheus' own linter says of our metrics, on a live scrape.

In: every metrics module, served as a service serves it. Out: promtool's findings and its exit code.
Refuses to pass silently where promtool is missing: it says so, and how to get it.

    python -m services.cli.lint_metrics
"""

import asyncio
import subprocess
import sys
import urllib.request
from typing import Final

from services.cli import reference
from services.cli.prometheus import HOW_TO_GET_IT, find
from shared.lifecycle import HttpServer
from shared.telemetry import admin_app

_MISSING: Final = f"promtool is not on this machine, so the metrics were NOT linted. {HOW_TO_GET_IT}\n"


async def scrape() -> bytes:
    """What Prometheus would read, over HTTP, with every metric of every service registered."""
    reference.metrics_text()  # imports every metrics module
    server = HttpServer("admin", admin_app("lint", "0", live={}, ready={}), host="127.0.0.1", port=0)
    await server.start()
    try:
        url = f"http://{server.address}/metrics"
        return await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=10).read())
    finally:
        await server.stop()


def main() -> int:
    """Lint, and say what was found."""
    promtool = find("promtool")
    if promtool is None:
        sys.stderr.write(_MISSING)
        return 0
    scraped = asyncio.run(scrape())
    found = subprocess.run([promtool, "check", "metrics"], input=scraped, check=False)
    names = {
        line.split()[2] for line in scraped.decode().splitlines() if line.startswith("# TYPE leadscore_")
    }
    sys.stdout.write(f"promtool looked at {len(names)} metrics of ours: exit code {found.returncode}\n")
    return found.returncode


if __name__ == "__main__":
    sys.exit(main())
