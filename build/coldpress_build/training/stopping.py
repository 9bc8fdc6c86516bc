"""SIGTERM, which is how a spot machine, a scheduler or `docker stop` asks for an end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from coldpress.jobs import RETRY_EXIT
from coldpress_build.errors import BuildError


class Interrupted(BuildError):
    """The run was asked to end, and can be gone on with."""

    exit_status = RETRY_EXIT


class Stop:
    """Whether the end was asked for."""

    def __init__(self) -> None:
        self.wanted = False

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.wanted = True


@contextmanager
def asked() -> Iterator[Stop]:
    """SIGTERM inside the block only sets `wanted`; who does the work ends it where it can be gone on with.

    In a thread other than the main one, where Python hears no signals, it is never set.
    """
    stop = Stop()
    with _handler(stop._ask):
        yield stop


@contextmanager
def interruptible(what_then: str) -> Iterator[None]:
    """SIGTERM inside the block raises `Interrupted`, so that partial files are removed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted(f"stopped by SIGTERM; {what_then}")

    with _handler(interrupt):
        yield


@contextmanager
def _handler(handler: "signal._HANDLER") -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
