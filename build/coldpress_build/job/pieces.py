"""What a job prints, into the store: objects that never change, one every few seconds."""

import threading
from types import TracebackType
from typing import Self

from coldpress.errors import ColdpressError, Conflict
from coldpress.runs import Run, piece_key
from coldpress.store import Store

SECONDS = 5.0
"""How often: a request costs as much on S3 as 5 MB for a month."""
FIRST_SECONDS = 1.0
MOST_BYTES = 64 << 10
"""Of one piece; whoever reads takes many at once."""
KEPT_BYTES = 1 << 20
"""Kept while the store does not answer; what is older is lost here, and still in CloudWatch."""


class Pieces:
    """Collects bytes and stores them from a thread of its own: printing never waits for the store."""

    def __init__(self, store: Store, run: Run, attempt: int, node: int) -> None:
        self._store, self._run, self._attempt, self._node = store, run, attempt, node
        self._waiting = bytearray()
        self._number = 0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)

    def add(self, data: bytes) -> None:
        """Takes what was printed."""
        with self._lock:
            self._waiting += data
            del self._waiting[:-KEPT_BYTES]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stores the rest."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        pause = FIRST_SECONDS
        while not self._over.wait(pause):
            self._store_some()
            pause = SECONDS
        while self._store_some():
            continue

    def _store_some(self) -> bool:
        """Whether there was something, and it was stored."""
        with self._lock:
            piece = bytes(self._waiting[:MOST_BYTES])
        if not piece:
            return False
        try:
            self._store.create(piece_key(self._run, self._attempt, self._node, self._number), piece)
        except Conflict:  # an attempt of the same number before this one
            self._number += 1
            return self._store_some()
        except ColdpressError:  # the log can wait; the run must not end for it
            return False
        self._number += 1
        with self._lock:
            if self._waiting.startswith(piece):
                del self._waiting[: len(piece)]
        return True
