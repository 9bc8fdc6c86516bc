"""Work that is done once the answer is on its way.

Lambda freezes an execution environment as soon as its handler has returned, unless an extension is still at
work. So this process registers itself as one: the caller has its answer, and the environment stays awake,
and is given no other request, until the work is done.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from coldpress.s3.connection import Broken, Connection

VERSION = "2020-01-01"
NAME = "coldpress-afterwards"
REGISTER_SECONDS = 2.0
YEARS = 1e8
"""In seconds."""
PAUSES = (0.0, 0.1, 0.4, 1.6)
"""Seconds before each try to ask for the next event; after the last the thread goes on as no extension."""

Work = Callable[[], object]


class Afterwards:
    """One thread that does what it is told to do after each answer."""

    def __init__(self, runtime_api: str) -> None:
        """Starts the thread, as an extension where `runtime_api` (host and port) takes extensions.

        Must be made while Lambda initialises the function: later it takes no extension any more.
        """
        self._todo: deque[Work | None] = deque()
        self._told = threading.Semaphore(0)
        self._idle = threading.Event()
        self._idle.set()
        self._extension = _Extension.registered(runtime_api) if runtime_api else None
        threading.Thread(target=self._run, name=NAME, daemon=True).start()

    def answered(self, work: Work | None) -> None:
        """To be called once at the end of every invocation, with what is to be done after it, if anything."""
        if work is not None:
            self._idle.clear()
        self._todo.append(work)
        self._told.release()

    def settle(self) -> None:
        """Waits until nothing is left to do. On Lambda it never has to: the next request comes after that."""
        self._idle.wait()

    def _run(self) -> None:
        while True:
            if self._extension is not None and not self._extension.next_event():
                self._extension = None
            self._told.acquire()
            work = self._todo.popleft()
            if work is None:
                continue
            try:
                work()
            except Exception as error:  # nobody waits for it: the log is where it can be told
                sys.stderr.write(f"after the answer: {type(error).__name__}: {error}\n")
            finally:
                self._idle.set()


class _Extension:
    """This process, as Lambda sees one of its internal extensions."""

    def __init__(self, connection: Connection, identifier: str, runtime_api: str) -> None:
        self._connection = connection
        self._runtime_api = runtime_api
        self._head = (
            f"GET /{VERSION}/extension/event/next HTTP/1.1\r\nHost: {runtime_api}\r\n"
            f"Lambda-Extension-Identifier: {identifier}\r\n\r\n"
        ).encode()

    @classmethod
    def registered(cls, runtime_api: str) -> "_Extension | None":
        """None where there is no Extensions API, or it takes no extension: nothing is frozen there."""
        body = '{"events":["INVOKE"]}'
        head = (
            f"POST /{VERSION}/extension/register HTTP/1.1\r\nHost: {runtime_api}\r\n"
            f"Lambda-Extension-Name: {NAME}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        try:
            connection = _connected(runtime_api)
            reply = connection.ask(head, time.monotonic() + REGISTER_SECONDS)
        except (OSError, Broken) as error:
            sys.stderr.write(f"no extension could be registered: {error}\n")
            return None
        identifier = reply.headers.get("lambda-extension-identifier", "")
        if reply.status != 200 or not identifier:
            return None
        return cls(connection, identifier, runtime_api)

    def next_event(self) -> bool:
        """Says that all is done; returns when the function is invoked again, if that is after hours.

        Whether the function was invoked: no, when the API does not answer.
        """
        for pause in PAUSES:
            time.sleep(pause)
            try:
                if not self._connection.reusable:
                    self._connection = _connected(self._runtime_api)
                self._connection.ask(self._head, time.monotonic() + YEARS)
            except (OSError, Broken, ValueError) as error:  # a length that is no number is a ValueError
                reason = f"{type(error).__name__}: {error}"
            else:
                return True
        # Ending the thread instead would leave the next request waiting for work that nobody does.
        sys.stderr.write(
            f"the Extensions API gave no event in {len(PAUSES)} tries ({reason}); what is done after an "
            "answer may now wait until the next request\n"
        )
        return False


def _connected(runtime_api: str) -> Connection:
    host, _, port = runtime_api.partition(":")
    return Connection(host, int(port or 80), None, REGISTER_SECONDS)
