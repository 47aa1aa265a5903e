"""deploy/grafana/dashboards/*.json, written from the pages beside this file.

In: the pages. Out: their JSON. Refuses to drift: a test compares, `make reference` renews.

    python -m services.cli.dashboards.write
"""

import json
import sys
from pathlib import Path
from typing import Final

from services.cli.dashboards import business, ingest, overview, router, scorer
from services.cli.dashboards.panels import as_json

FOLDER: Final = Path(__file__).resolve().parents[3] / "deploy" / "grafana" / "dashboards"
DASHBOARDS: Final = tuple(page.DASHBOARD for page in (overview, ingest, scorer, router, business))


def texts() -> dict[Path, str]:
    """Each file as it should be."""
    return {
        FOLDER / f"{one.name}.json": json.dumps(as_json(one), indent=2, ensure_ascii=False) + "\n"
        for one in DASHBOARDS
    }


def write() -> None:
    """Write them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in texts().items():
        path.write_text(text)


if __name__ == "__main__":
    write()
    sys.stdout.write(f"{FOLDER} written\n")
