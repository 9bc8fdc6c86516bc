"""Work in a thread beside the request: begun now, asked for later."""

import threading
from collections.abc import Callable

from coldpress.typed import Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """A call that is already under way. (`concurrent.futures` would cost an import and a pool.)"""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._value: T | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except Exception as error:  # raised again where the result is asked for
            self._error = error

    def done(self) -> bool:
        """Whether `result` would answer at once."""
        return not self._thread.is_alive()

    def result(self) -> T:
        """What the call returned, or the error it raised; waits for it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]
