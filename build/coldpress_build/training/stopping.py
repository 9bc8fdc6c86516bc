"""SIGTERM, which is how a spot machine, a scheduler or `docker stop` asks for an end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from coldpress.jobs import RETRY_EXIT
from coldpress_build.errors import BuildError

REMIND_SECONDS = 5.0
"""Removing what is unfinished takes less; AWS Batch kills after 30."""


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

    What came after the last look at `wanted` is raised again behind the block, for whoever hears it there.
    In a thread other than the main one, where Python hears no signals, it is never set.
    """
    stop = Stop()
    with _handler(stop._ask):
        yield stop
    if stop.wanted:
        signal.raise_signal(signal.SIGTERM)


class _Asked(BaseException):
    """The end is asked for. No `Exception`: those that tools raise are caught, by the press and in torch."""


@contextmanager
def interruptible(what_then: str) -> Iterator[None]:
    """SIGTERM inside the block ends it at once: `finally` removes partial files, `Interrupted` comes out.

    Its message says `what_then`; so does that of an `Interrupted` that is raised inside.
    """
    stop = Stop()

    def end(number: int, frame: FrameType | None) -> None:
        stop._ask(number, frame)
        # What passes over every exception, a finaliser for one, passes over this one too: it comes again.
        signal.setitimer(signal.ITIMER_REAL, REMIND_SECONDS)
        raise _Asked

    try:
        with _handler(end), _handler(end, signal.SIGALRM):
            try:
                yield
            finally:
                if stop.wanted:
                    signal.setitimer(signal.ITIMER_REAL, 0)
    except _Asked:
        raise Interrupted(f"stopped by SIGTERM; {what_then}") from None
    except Interrupted as error:
        raise Interrupted(f"{error}; {what_then}") from None


@contextmanager
def _handler(handler: "signal._HANDLER", number: int = signal.SIGTERM) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
