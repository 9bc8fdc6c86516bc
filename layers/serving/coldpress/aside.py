"""Work in a thread beside the request: begun now, asked for later."""

import _thread
import atexit
from collections.abc import Callable, Sequence

from coldpress.typed import Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """A call that is already under way, in a thread that does not keep the process from ending.

    `threading.Thread` takes 0.2 ms longer to start, as it waits until the thread runs; `concurrent.futures`
    would cost an import and a pool.
    """

    def __init__(self, work: Callable[[], T], *, finished_at_exit: bool = False) -> None:
        """`finished_at_exit`: the process waits for it before it ends."""
        # Not kept once it has begun: it may hold megabytes, and whoever holds this.
        self._work: list[Callable[[], T]] = [work]
        self._value: T | None = None
        self._error: Exception | None = None
        self._running = _thread.allocate_lock()
        self._running.acquire()
        if finished_at_exit:
            atexit.register(self._wait)
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        try:
            self._value = self._work.pop()()
        except Exception as error:  # raised again where the result is asked for
            self._error = error
        finally:
            self._running.release()

    def _wait(self) -> None:
        with self._running:
            return

    def done(self) -> bool:
        """Whether `result` would answer at once."""
        return not self._running.locked()

    def result(self) -> T:
        """What the call returned, or the error it raised; waits for it."""
        self._wait()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


def each(work: Callable[[T], object], items: Sequence[T], threads: int) -> None:
    """Calls `work` with every item, on up to `threads` threads, this one included.

    Raises the error of the first item that has one, once no call is under way any more; items that nobody
    has begun by then are left out.
    """
    waiting = list(reversed(range(len(items))))
    errors: dict[int, Exception] = {}

    def take() -> None:
        while waiting and not errors:
            try:
                number = waiting.pop()
            except IndexError:  # another thread took the last one meanwhile
                return
            try:
                work(items[number])
            except Exception as error:  # raised again by the thread that was asked
                errors[number] = error

    others = [Aside(take) for _ in range(min(threads, len(items)) - 1)]
    take()
    for other in others:
        other.result()
    if errors:
        raise errors[min(errors)]
