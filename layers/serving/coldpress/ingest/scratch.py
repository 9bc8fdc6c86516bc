"""A folder for one attempt's files, gone when it ends, and swept up by a later one if it was killed."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "coldpress-ingest-"
LOCK = ".lock"


@contextmanager
def folder() -> Iterator[str]:
    """The path of an empty folder of our own, below the system's folder for temporary files."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as path, (Path(path) / f"{LOCK}.new").open("w") as lock:
        # Held until the process ends, however it ends: that is how others know that it lives. They find it
        # only once it is held.
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path(lock.name).rename(Path(path) / LOCK)
        yield path


def sweep() -> None:
    """Removes folders whose processes were killed: a model may be gigabytes."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        try:
            with path.open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # in use, somebody else's, or gone meanwhile
        shutil.rmtree(path.parent, ignore_errors=True)
