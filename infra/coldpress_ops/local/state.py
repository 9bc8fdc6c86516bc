"""The state folder: everything the local server keeps, and a lock that keeps a second server out.

objects/        the store          logs/         what the functions print
events/         delivery ledger    partial/      uploads that are still coming in
dead-letters/   events given up    secret, key, lock
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coldpress.errors import ColdpressError


class StateUnusable(ColdpressError):
    """The state folder cannot be written, or another server uses it."""


@dataclass(frozen=True)
class State:
    """The folders, which exist, and the secret that signs upload URLs."""

    folder: Path
    secret: str

    @property
    def objects(self) -> Path:
        """The store's folder."""
        return self.folder / "objects"

    @property
    def events(self) -> Path:
        """One ledger folder per queue."""
        return self.folder / "events"

    @property
    def dead_letters(self) -> Path:
        """One folder per queue, one file per event."""
        return self.folder / "dead-letters"

    @property
    def logs(self) -> Path:
        """One file per function."""
        return self.folder / "logs"

    @property
    def partial(self) -> Path:
        """Uploads until they are whole; on the same file system as `objects`."""
        return self.folder / "partial"

    @property
    def key_file(self) -> Path:
        """The admin key that the server makes for itself, for this user's own commands."""
        return self.folder / "key"

    def keep_key(self, key: str) -> None:
        """Stores the server's own admin key."""
        _write_private(self.key_file, key)

    @property
    def store_url(self) -> str:
        """What functions get as `COLDPRESS_STORE`."""
        return f"file://{self.objects}"


@contextmanager
def opened(folder: Path) -> Iterator[State]:
    """Makes the folder ready and holds its lock.

    Raises:
        StateUnusable: it cannot be written, or another server holds the lock.
    """
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise _unusable(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StateUnusable(
                f"another server (process {lock.read().strip() or 'unknown'}) uses the state folder "
                f"{folder}; stop it, or give this one another folder with --state"
            ) from None
        try:
            yield _prepared(folder, lock.fileno())
        finally:
            lock.truncate(0)


def _prepared(folder: Path, lock: int) -> State:
    try:
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        state = State(folder, _secret(folder / "secret"))
        # Left by uploads that a kill cut off.
        shutil.rmtree(state.partial, ignore_errors=True)
        for part in (state.objects, state.events, state.dead_letters, state.logs, state.partial):
            part.mkdir(exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    return state


def _secret(path: Path) -> str:
    """The secret, made on first use."""
    if not path.exists():
        _write_private(path, secrets.token_hex(32))
    return path.read_text(encoding="ascii")


def _write_private(path: Path, text: str) -> None:
    """Writes a file whole, readable by this user only."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(text, encoding="ascii")
    temporary.replace(path)


def _unusable(folder: Path, error: OSError) -> StateUnusable:
    return StateUnusable(
        f"cannot write to the state folder {folder} ({error.strerror}); give another with --state"
    )
