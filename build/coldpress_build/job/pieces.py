"""What a job prints, into the store: objects that never change, one every few seconds."""

import codecs
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
KEPT_BYTES = 4 << 20
"""Kept between two times (0.8 MB a second), and while the store does not answer; what is older is lost here,
and still in CloudWatch."""


class Pieces:
    """Collects bytes and stores them from a thread of its own: printing never waits for the store."""

    def __init__(self, store: Store, run: Run, attempt: int, node: int) -> None:
        self._store, self._run, self._attempt, self._node = store, run, attempt, node
        self._waiting = bytearray()
        self._dropped = 0
        self._number = 0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)

    def add(self, data: bytes) -> None:
        """Takes what was printed."""
        with self._lock:
            self._waiting += data
            surplus = max(0, len(self._waiting) - KEPT_BYTES)
            del self._waiting[:surplus]
            self._dropped += surplus

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
            self._store_all()
            pause = SECONDS
        self._store_all()

    def _store_all(self) -> None:
        """Stores what waits, while the store answers."""
        while self._store_some():
            continue

    def _store_some(self) -> bool:
        """Whether to go on at once: a whole piece was stored, or its name was taken. Less can wait."""
        with self._lock:
            waiting, dropped = bytes(self._waiting[:MOST_BYTES]), self._dropped
        is_full = len(waiting) == MOST_BYTES
        is_last = self._over.is_set() and not is_full
        piece = waiting if is_last else _whole(waiting)
        if not piece:
            return False
        try:
            self._store.create(piece_key(self._run, self._attempt, self._node, self._number), piece)
        except Conflict:  # an attempt of the same number before this one
            self._number += 1
            return True
        except ColdpressError:  # the log can wait; the run must not end for it
            return False
        self._number += 1
        with self._lock:
            # What was dropped meanwhile was the beginning of this piece.
            del self._waiting[: max(0, len(piece) - (self._dropped - dropped))]
        return is_full


def _whole(data: bytes) -> bytes:
    """`data` without a character's beginning at its end: it may be read without the piece after it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    begun, _ = decoder.getstate()
    return data[: len(data) - len(begun)]
