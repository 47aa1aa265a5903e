"""Where the files are that come with Leadscore: configuration to begin with, migrations, schemas.

In: a path as it is in a checkout, such as `deploy/config/sources.yaml`. Out: where that file is now.
In a checkout they are in its folder `deploy`; the wheel has them in the package `shared` (pyproject.toml).
"""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_IN_WHEEL: Final = _HERE / "deploy"
DEPLOY: Final = _IN_WHEEL if _IN_WHEEL.is_dir() else _HERE.parent / "deploy"


def shipped(path: str | Path) -> Path:
    """The file below the working directory if it is there, else the one that comes with Leadscore.

    path: relative, beginning with `deploy/`; any other stays as it is
    """
    path = Path(path)
    if path.parts[:1] != ("deploy",) or path.exists():
        return path
    return DEPLOY.joinpath(*path.parts[1:])
