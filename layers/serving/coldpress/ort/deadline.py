"""Stops runs that pass their deadline: one sleeping thread for the whole process."""

from __future__ import annotations

import os
import sys
import threading
from ctypes import byref, c_void_p
from math import inf
from time import monotonic

from coldpress.errors import Unavailable
from coldpress.ort.failures import OrtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from coldpress.ort.api import Api


class Watch:
    """Calls back for each run whose deadline (`time.monotonic` seconds) passes before it is removed.

    A timer thread for each run would cost 100 us a request. Here a run costs two dictionary writes: deadlines
    mostly grow from one request to the next, so the thread, asleep until the earliest it was told, need not
    be woken for a later one.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew: a forked child inherits no thread, but maybe a lock that the thread held."""
        self._runs: dict[object, tuple[float, Callable[[], object]]] = {}
        self._wakes_at = inf
        # Entered itself: through its condition that would take five times as long.
        self._lock = threading.Lock()
        self._condition = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None

    def add(self, deadline: float, expire: Callable[[], object]) -> object:
        """Watch a run; the answer is what `remove` takes."""
        token = object()
        with self._lock:
            self._runs[token] = (deadline, expire)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="coldpress-deadline", daemon=True)
                self._thread.start()
            if deadline < self._wakes_at:
                # By whoever adds it: the thread may come to see it only once the run is over.
                self._wakes_at = deadline
                self._condition.notify()
        return token

    def remove(self, token: object) -> bool:
        """Stop watching. True if the deadline had passed. Once this has returned, nothing is called back."""
        with self._lock:
            return self._runs.pop(token, None) is None

    def _watch(self) -> None:
        with self._condition:
            while True:
                # Condition.wait refuses more than about 292 years.
                self._condition.wait(min(self._expire(monotonic()), 3600.0))

    def _expire(self, now: float) -> float:
        """Calls back what is due; the seconds until the next. Of its own, as a sleeper's locals live on."""
        for token, (deadline, expire) in list(self._runs.items()):
            if deadline <= now:
                del self._runs[token]
                expire()
        if self._wakes_at <= now:
            self._wakes_at = min((deadline for deadline, _ in self._runs.values()), default=inf)
        return self._wakes_at - now


_watch = Watch()
os.register_at_fork(after_in_child=_watch.forget)


class Stopper:
    """OrtRunOptions through which runs can be stopped. For one run at a time, and then for the next."""

    __slots__ = ("_api", "_options")

    def __init__(self, api: Api) -> None:
        self._api = api
        self._options = c_void_p()
        api.CreateRunOptions(byref(self._options))

    def __del__(self, _finalizing: object = sys.is_finalizing) -> None:
        if not _finalizing():  # type: ignore[operator]
            self._api.ReleaseRunOptions(self._options)

    def run_until(self, deadline: float, call: Callable[[c_void_p], object]) -> None:
        """`call` with options that tell ONNX Runtime to stop once the deadline has passed.

        It looks between two nodes of the graph, so a single long operator ends late.

        Raises:
            Unavailable: stopped, or past its deadline already.
        """
        if deadline <= monotonic():
            raise Unavailable("no time was left to run the model; allow the request more time")
        expired = False
        try:
            token = _watch.add(deadline, self._stop)
            try:
                call(self._options)
            finally:
                expired = _watch.remove(token)
        except OrtError:
            if expired:
                raise Unavailable(
                    "the model's run passed its deadline and was stopped; "
                    "send fewer rows or allow it more time"
                ) from None
            raise
        finally:
            if expired:
                self._api.RunOptionsUnsetTerminate(self._options)

    def _stop(self) -> None:
        self._api.RunOptionsSetTerminate(self._options)
