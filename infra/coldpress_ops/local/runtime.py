"""The Lambda Runtime API, for one execution environment.

The four documented endpoints below `/2018-06-01/runtime/`: `invocation/next`,
`invocation/{id}/response`, `invocation/{id}/error` and `init/error`. Blocking, driven by whoever
waits for the answer: a thread of its own would add a hand-over to every invocation.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import os
import selectors
import socket
import time
from typing import Literal, NamedTuple

import h11

VERSION = "2018-06-01"
READ_BYTES = 256 << 10
# A failed invocation carries its stack trace in a header of up to 1 MiB.
MAX_HEADER_BYTES = 2 << 20


class Gone(Exception):
    """The process behind the Runtime API has ended."""


class Call(NamedTuple):
    """One request of the runtime interface client, read in full."""

    connection: "Connection"
    method: str
    path: str
    body: bytes

    @property
    def is_next(self) -> bool:
        """The function is initialised and waits for an event."""
        return self.path == f"/{VERSION}/runtime/invocation/next"

    @property
    def is_init_error(self) -> bool:
        """The function could not be initialised; the body says why."""
        return self.path == f"/{VERSION}/runtime/init/error"

    def outcome(self, request_id: str) -> Literal["response", "error"] | None:
        """How the invocation `request_id` ended; None when this call is about something else."""
        stem = f"/{VERSION}/runtime/invocation/{request_id}/"
        if self.path == stem + "response":
            return "response"
        return "error" if self.path == stem + "error" else None


class Connection:
    """The server's side of one keep-alive connection."""

    def __init__(self, sock: socket.socket) -> None:
        """Takes over an accepted socket."""
        self.socket = sock
        # Loopback stalls of 40 ms otherwise: Nagle's algorithm against delayed acknowledgements.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._request: h11.Request | None = None
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> Call | None:
        """Takes bytes off the wire; a call once one is complete. Raises `h11.RemoteProtocolError`."""
        self._http.receive_data(data)
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._request = event
                self._body = []
            elif isinstance(event, h11.Data):
                self._body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                method, path = self._request.method.decode(), self._request.target.decode()
                return Call(self, method, path, b"".join(self._body))
            else:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self.socket.sendall(self._http.send(go_on) or b"")
                return None

    def reply(self, status: int, headers: list[tuple[str, str]], body: bytes, timeout: float) -> None:
        """Answers the call just read, header and body in one piece."""
        head = h11.Response(status_code=status, headers=[*headers, ("Content-Length", str(len(body)))])
        parts = [self._http.send(head), self._http.send(h11.Data(data=body))]
        parts.append(self._http.send(h11.EndOfMessage()))
        self.socket.settimeout(timeout)
        self.socket.sendall(b"".join(part for part in parts if part))
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()


class RuntimeApi:
    """Listens on a loopback port of its own; not for use by two threads at a time."""

    def __init__(self) -> None:
        """Starts listening, so that the address can be given to a process that is yet to start."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._process: int | None = None
        self._connections: set[Connection] = set()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def watch(self, process: int) -> None:
        """Lets `receive` notice the end of a process, given by its pidfd (closed by `close`)."""
        self._process = process
        self._selector.register(process, selectors.EVENT_READ)

    def receive(self, deadline: float) -> Call:
        """The next complete call.

        Args:
            deadline: on the clock of `time.monotonic`.

        Raises:
            TimeoutError: no complete call by then.
            Gone: the process has ended, and it left no call unread.
        """
        while True:
            ready = self._selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            others = [key for key, _ in ready if key.fd != self._process]
            if not others:
                raise Gone
            for key in others:
                if key.data is None:
                    accepted = Connection(self._listener.accept()[0])
                    self._connections.add(accepted)
                    self._selector.register(accepted.socket, selectors.EVENT_READ, accepted)
                elif (call := self._read(key.data)) is not None:
                    return call

    def _read(self, connection: Connection) -> Call | None:
        try:
            data = connection.socket.recv(READ_BYTES)
            if data:
                return connection.feed(data)
        except (ConnectionError, h11.RemoteProtocolError):
            # A client that broke off or talks nonsense loses its connection, as at its end of file.
            data = b""
        self._selector.unregister(connection.socket)
        self._connections.discard(connection)
        connection.socket.close()
        return None

    def close(self) -> None:
        """Closes every socket and the pidfd; once more does nothing."""
        self._selector.close()
        self._listener.close()
        while self._connections:
            self._connections.pop().socket.close()
        if self._process is not None:
            os.close(self._process)
            self._process = None
