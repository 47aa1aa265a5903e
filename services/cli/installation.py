"""One machine's installation: its data folder, the lock on it, its secrets and addresses.

In: LEADSCORE_DATA (default `.data` here). Out: files in that folder that a restart finds again.
Refuses two supervisors or two watches on one folder, and to delete what it did not make.

    .data/postgres .data/kafka    the servers' data, logs, ports
    .data/services                pid files of ingest, scorer, router
    .data/secrets.env             made up on the first start, mode 0600; never changed afterwards
    .data/addresses.env           where things are while `leadscore up` runs
    .data/prometheus              what `make watch` measured, its configuration, its log
    .data/demo-run                id of the newest `leadscore demo`, for its --same-ids
"""

import base64
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.cli.keys import make
from shared.errors import Misconfigured

_OURS: Final = (
    *("postgres", "kafka", "services", "prometheus"),
    *("secrets.env", "addresses.env", "ports.json", "demo-run"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The installation in this folder; nothing is made before it is asked for."""

    folder: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Installation":
        """The one that the environment means."""
        return cls(folder=Path(environment.get("LEADSCORE_DATA") or ".data").resolve())

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the folder: no other supervisor on it while the block lasts. Ends with the process, however.

        Raises Misconfigured if another one holds it.
        """
        with self._hold("lock", self._runs) as note:
            note(str(os.getpid()))
            yield

    def claim_watch(self) -> AbstractContextManager[Callable[[str], None]]:
        """Hold what `make watch` measures: no other watch, and no wipe, while the block lasts.

        What is given keeps the address, for whoever is refused.

        Raises Misconfigured if another watch holds it.
        """
        return self._hold("watch.lock", self._is_watched)

    def _runs(self, noted: str) -> str:
        return (
            f"Leadscore already runs on {self.folder} (process {noted or 'unknown'}). "
            "Stop it, or set LEADSCORE_DATA to another folder."
        )

    def _is_watched(self, noted: str) -> str:
        return (
            f"`make watch` already runs on {self.folder}: {noted or 'it is just starting'}. "
            "Use that one, or stop it with Ctrl-C in its terminal."
        )

    @contextmanager
    def _hold(self, name: str, refusal: Callable[[str], str]) -> Iterator[Callable[[str], None]]:
        """Lock this file; what is noted in it is told to whoever finds it locked."""
        with self._open(name) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise Misconfigured(refusal(lock.read().strip()), []) from error
            lock.truncate(0)
            yield lambda text: print(text, end="", file=lock, flush=True)

    def _open(self, name: str) -> IO[str]:
        try:
            # Records and logs in it are about people.
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return (self.folder / name).open("a+")
        except OSError as error:
            raise Misconfigured(
                f"{self.folder} cannot be written to ({error.strerror}). Start as the user who made it, "
                "or set LEADSCORE_DATA to a folder of your own.",
                [],
            ) from error

    def secrets(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Every secret one machine needs: from the environment, else from the file, else made up and kept."""
        kept = _read(self.folder / "secrets.env")
        ours = tokens() | kept
        if "LEADSCORE_DEMO_MAIL_KEY" not in kept:
            ours |= mail_keys()
        if ours != kept:
            _write(self.folder / "secrets.env", ours)
        return {name: environment.get(name) or value for name, value in ours.items()}

    def note(self, addresses: Mapping[str, str]) -> None:
        """Keep where things are, for the other commands."""
        _write(self.folder / "addresses.env", addresses)

    def forget(self) -> None:
        """Nothing is there any more: the other commands must not find who takes these addresses next."""
        (self.folder / "addresses.env").unlink(missing_ok=True)

    def known(self) -> dict[str, str]:
        """Secrets and addresses as they are on disk.

        Raises Misconfigured if they are another user's.
        """
        return _read(self.folder / "secrets.env") | _read(self.folder / "addresses.env")

    def wipe(self) -> None:
        """Delete the data, the secrets, everything we made.

        Raises Misconfigured while a supervisor or a watch runs on them.
        """
        with self.claim(), self.claim_watch():
            for name in _OURS:
                path = self.folder / name
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


def tokens() -> dict[str, str]:
    """Random text, in the shape that each reader asks for."""
    return {
        "LEADSCORE_IDENTITY_KEY": make.identity_key(),
        "LEADSCORE_WEBHOOK_SECRET": make.webhook_secret(),
        "LEADSCORE_KEY_WEBSITE": make.write_key(public=True),
        "LEADSCORE_KEY_PRODUCT": make.write_key(public=False),
        "LEADSCORE_KEY_CRM": make.write_key(public=False),
    }


def mail_keys() -> dict[str, str]:
    """A pair as SendGrid has one: `leadscore demo` signs with the private half."""
    private = ec.generate_private_key(ec.SECP256R1())
    signing = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    verifying = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "LEADSCORE_DEMO_MAIL_KEY": base64.b64encode(signing).decode(),
        "SENDGRID_PUBLIC_KEY": base64.b64encode(verifying).decode(),
    }


def _read(file: Path) -> dict[str, str]:
    """NAME=value lines; nothing if there is no file."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise Misconfigured(
            f"{file} is another user's. Run this as the user who started Leadscore here, "
            "or set LEADSCORE_DATA to a folder of your own.",
            [],
        ) from error
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _write(file: Path, values: Mapping[str, str]) -> None:
    """Replace the file in one step, readable for its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.writelines(f"{name}={value}\n" for name, value in values.items())
    unfinished.replace(file)
