"""One function's log file: what its processes print, appended, with a bound on its size."""

import logging
import os
import threading
from pathlib import Path

logger = logging.getLogger(__name__)

MAX_BYTES = 10 << 20
KEPT = 2
"""Older files beside the current one: `predict.log.1`, `predict.log.2`."""
READ_BYTES = 64 << 10


class FunctionLog:
    """A pipe for the function's processes to write into, and the thread that empties it into the file."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        """Starts the thread; `max_bytes`: the file is put aside beyond this size."""
        self._path = path
        self._max_bytes = max_bytes
        self._read_end, self.output = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"log {path.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while data := os.read(self._read_end, READ_BYTES):
            try:
                self._append(data)
            except OSError as error:
                # The pipe must be emptied even on a full disk, or the functions would stand still.
                logger.warning("cannot write %s: %s; these lines are lost", self._path, error.strerror)
        os.close(self._read_end)

    def _append(self, data: bytes) -> None:
        with self._path.open("ab") as file:
            # awslambdaric ends the lines of a stack trace with CR, to keep it one CloudWatch event.
            file.write(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
            size = file.tell()
        if size > self._max_bytes:
            self._rotate()

    def _rotate(self) -> None:
        for number in range(KEPT, 0, -1):
            newer = self._numbered(number - 1)
            if newer.exists():
                newer.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def close(self) -> None:
        """Writes what is in the pipe; all writers must have ended, else it waits a second for them."""
        os.close(self.output)
        self._thread.join(1.0)
