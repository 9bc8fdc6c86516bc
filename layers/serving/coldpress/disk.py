"""The function's own disk as a cache of large models, each in a folder named by its hash.

It outlives the process: Lambda starts a new one in the same place after a crash or a timeout. Whatever lies
there is hashed again when it is used.
"""

import os
import time

from coldpress.external import NAME
from coldpress.settings import MIB

FOLDER = "coldpress-models"
RESERVE_BYTES = 16 * MIB
"""Left free for everybody else."""
NEW = "new"
DOWNLOAD_SECONDS = 900.0
"""No download takes so long: what looks like one is a killed process's, whose number another has now."""

_coming: set[str] = set()
"""Folders that this process is filling."""


class Disk:
    """Files by SHA-256. The one used longest ago goes first."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes for all of them; 0: what the disk has."""
        self._limit = limit
        # The only folder that can be written on Lambda.
        self._folder = f"{os.environ.get('TMPDIR') or '/tmp'}/{FOLDER}"  # noqa: S108

    def find(self, sha256: str, size: int) -> str:
        """The path of a file that is there, and counts as used now; else empty."""
        path = f"{self._folder}/{sha256}/{NAME}"
        try:
            if not self._is_ours() or os.stat(path).st_size != size:  # noqa: PTH116
                return ""
            os.utime(f"{self._folder}/{sha256}")
        except OSError:
            return ""
        return path

    def room(self, size: int) -> str:
        """A path for a new file, once others went for it; empty when it does not fit.

        To be followed by `keep` or `drop`: until then nobody else takes it for an old one.
        """
        try:
            os.makedirs(self._folder, 0o700, exist_ok=True)  # noqa: PTH103
            if not self._is_ours():
                return ""
            for name in self._oldest_first():
                if self._free() >= size:
                    break
                if not _is_coming(f"{self._folder}/{name}"):
                    _remove(f"{self._folder}/{name}")
            if self._free() < size:
                return ""
            folder = f"{self._folder}/{NEW}-{os.getpid()}-{os.urandom(8).hex()}"
            os.mkdir(folder, 0o700)  # noqa: PTH102
        except OSError:
            return ""
        _coming.add(folder)
        return f"{folder}/{NAME}"

    def keep(self, path: str, sha256: str) -> None:
        """Gives a file that `room` made the name of its hash, which was checked; it may be open meanwhile."""
        folder = path.rpartition("/")[0]
        try:
            os.rename(folder, f"{self._folder}/{sha256}")  # noqa: PTH104
        except OSError:  # it is there already
            _remove(folder)
        _coming.discard(folder)

    def drop(self, path: str) -> None:
        """Removes a file. A model that is open keeps what it has mapped of it."""
        folder = path.rpartition("/")[0]
        _remove(folder)
        _coming.discard(folder)

    def _is_ours(self) -> bool:
        # Elsewhere than on Lambda the folder's parent is everybody's: nobody else may change a hashed file.
        found = os.stat(self._folder)  # noqa: PTH116
        return found.st_uid == os.geteuid() and not found.st_mode & 0o022

    def _oldest_first(self) -> list[str]:
        names = os.listdir(self._folder)  # noqa: PTH208
        return sorted(names, key=lambda name: os.stat(f"{self._folder}/{name}").st_mtime)  # noqa: PTH116

    def _free(self) -> int:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize - RESERVE_BYTES
        if not self._limit:
            return free
        used = 0
        for name in os.listdir(self._folder):  # noqa: PTH208
            for path in _files(f"{self._folder}/{name}"):
                used += os.stat(path).st_size  # noqa: PTH116
        return min(free, self._limit - used)


def _is_coming(folder: str) -> bool:
    """Whether a download into it goes on. A process that was killed leaves its own behind."""
    kind, _, rest = folder.rpartition("/")[2].partition("-")
    process, _, number = rest.partition("-")
    if kind != NEW or not number or not process.isdigit():
        return False
    if int(process) == os.getpid():
        return folder in _coming
    try:
        os.kill(int(process), 0)
        return time.time() - os.stat(folder).st_mtime < DOWNLOAD_SECONDS  # noqa: PTH116
    except OSError:  # there is no such process
        return False


def _files(folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in os.listdir(folder)]  # noqa: PTH208


def _remove(folder: str) -> None:
    try:
        for path in _files(folder):
            os.unlink(path)  # noqa: PTH108
        os.rmdir(folder)  # noqa: PTH106
    except OSError:  # somebody else removes it too
        return
