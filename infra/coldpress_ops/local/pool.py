"""A function's execution environments: one request each, started on demand, reaped when idle."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from coldpress.errors import Unavailable
from coldpress_ops.local.environments import INIT_SECONDS, Environment
from coldpress_ops.local.failures import Crashed, FunctionFailed, InitFailed

IDLE_SECONDS = 600.0
WAITING = 256
"""Requests that may wait for an environment; one more is refused, as Lambda throttles."""

STOPPING = "the server is stopping"


class Pool:
    """Runs a function's events, at most `limit` at a time."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Environment],
        timeout: float,
        limit: int,
        waiting: int = WAITING,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`start` spawns an environment; `timeout`: seconds that one event may take."""
        self._name = name
        self._start = start
        self._timeout = timeout
        self._limit = limit
        self._max_waiting = waiting
        self._idle_seconds = idle_seconds
        self._slots = asyncio.Semaphore(limit)
        self._waiting = 0
        self._threads = ThreadPoolExecutor(limit, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, Environment]] = []
        self._all: set[Environment] = set()
        self._closed = False

    async def invoke(self, event: bytes, *, patient: bool = False) -> bytes:
        """The answer to one event.

        Args:
            patient: wait for an environment however many already do.

        Raises:
            Unavailable: too many requests wait; the function timed out; the server stops.
            FunctionFailed, Crashed: as `Environment.invoke`.
        """
        if self._slots.locked() and self._waiting >= self._max_waiting and not patient:
            raise Unavailable(
                f"{self._name} is busy: {self._limit} requests run and {self._waiting} wait; try again later"
            )
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        if self._closed:
            self._slots.release()
            raise Unavailable(STOPPING)
        # The slot is given back when the thread is done, which a cancelled request does not wait for.
        running = asyncio.get_running_loop().run_in_executor(self._threads, self._run, event)
        running.add_done_callback(self._done)
        return await asyncio.shield(running)

    def _done(self, running: "asyncio.Future[bytes]") -> None:
        self._slots.release()
        # Marks the error as seen: a cancelled request has nobody left to read it.
        running.exception()

    def _run(self, event: bytes) -> bytes:
        while True:
            environment, reused = self._take()
            try:
                # As on Lambda, a slow initialisation may go on within the time of the first event.
                answer = environment.invoke(event, self._timeout, max(self._timeout, INIT_SECONDS))
            except InitFailed:
                self._drop(environment)
                raise
            except FunctionFailed:
                self._give_back(environment)
                raise
            except Crashed as crash:
                self._drop(environment)
                if crash.delivered or not reused or self._closed:
                    raise
            except BaseException:
                self._drop(environment)
                raise
            else:
                self._give_back(environment)
                return answer

    def _take(self) -> tuple[Environment, bool]:
        with self._lock:
            if self._closed:
                raise Unavailable(STOPPING)
            if self._idle:
                return self._idle.pop()[1], True
        environment = self._start()
        self._add(environment)
        return environment, False

    def _add(self, environment: Environment) -> None:
        with self._lock:
            self._all.add(environment)
            if self._closed:
                environment.kill()

    def _give_back(self, environment: Environment) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append((time.monotonic(), environment))
                return
        self._drop(environment)

    def _drop(self, environment: Environment) -> None:
        with self._lock:
            self._all.discard(environment)
        environment.close()

    def reap(self) -> None:
        """Ends the environments that nobody has used for `idle_seconds`."""
        oldest = time.monotonic() - self._idle_seconds
        with self._lock:
            old = [environment for since, environment in self._idle if since < oldest]
            self._idle = [(since, environment) for since, environment in self._idle if since >= oldest]
        for environment in old:
            self._drop(environment)

    def close(self) -> None:
        """Ends all environments; running requests fail."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            running = self._all - {environment for _, environment in idle}
        for _, environment in idle:
            self._drop(environment)
        for environment in running:
            environment.kill()
        self._threads.shutdown()
