"""One HTTP/1.1 connection that asks for objects and reads them straight into place."""

import _socket
import time

from coldpress.typed import TYPE_CHECKING, NamedTuple

# `socket` is 3 ms of enumerations around `_socket`; only TLS needs it.
if TYPE_CHECKING:
    import ssl

RECEIVE_BYTES = 64 << 10
MAX_HEAD_BYTES = 64 << 10
MAX_LENGTH_DIGITS = 18
ERROR_ENDS = (b"</Error>", b"0\r\n\r\n")
"""Of S3's XML, and of the last chunk."""


class Broken(Exception):
    """The server closed the connection, or what it sent is not HTTP."""


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes | bytearray | memoryview


class Connection:
    """Connected when made; raises `OSError` where that fails. TLS when there is a `context`."""

    def __init__(self, host: str, port: int, context: "ssl.SSLContext | None", seconds: float) -> None:
        """`seconds`: for the connection to be made."""
        self._socket = (
            _connected(host, port, seconds) if context is None else _secured(host, port, context, seconds)
        )
        self._used = time.time()
        # After its handshake a TLS server sends session tickets, which are read with the first answer.
        self._tickets = context is not None
        self.reusable = True

    def ask(self, head: bytes, deadline: float, into: memoryview | None = None) -> Reply:
        """Sends a request's head and reads the answer, until `deadline` (of `time.monotonic`).

        Args:
            into: where the body of a success goes, if it has exactly that length.

        Raises:
            Broken, OSError: the connection is of no use any more.
        """
        self.reusable = False
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(head)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            if len(received) > MAX_HEAD_BYTES:
                raise Broken("the head of the answer has no end")
            received += self._receive(RECEIVE_BYTES, deadline)
        status, headers = _parse(bytes(received[:end]))
        rest = received[end + 4 :]
        if status in (204, 304):
            body: bytes | bytearray | memoryview = b""
        elif "content-length" in headers and "transfer-encoding" not in headers:
            body = self._body(rest, _length(headers["content-length"]), status, deadline, into)
        elif status in (200, 206):
            # Its end could not be told from a connection that broke.
            raise Broken("the answer does not say how long it is")
        else:
            # Only errors come without a length, S3's in chunks; the connection ends with them.
            return Reply(status, headers, self._error(rest, deadline))
        self._tickets = False
        self.reusable = headers.get("connection", "").lower() != "close"
        self._used = time.time()
        return Reply(status, headers, body)

    def _body(
        self, rest: bytearray, length: int, status: int, deadline: float, into: memoryview | None
    ) -> bytearray | memoryview:
        fits = into is not None and len(into) == length and status in (200, 206)
        body = into if fits and into is not None else memoryview(bytearray(length))
        if len(rest) > length:
            raise Broken("the answer is longer than it says")
        at = len(rest)
        body[:at] = rest
        while at < length:
            self._socket.settimeout(_left(deadline))
            received = self._socket.recv_into(body[at:])
            if not received:
                raise Broken("the connection was closed in the middle of the answer")
            at += received
        return body

    def _error(self, text: bytearray, deadline: float) -> bytearray:
        """What an error says may come after its head. Of one that is cut off, what there is tells enough."""
        try:
            while not text.endswith(ERROR_ENDS) and len(text) < MAX_HEAD_BYTES:
                text += self._receive(RECEIVE_BYTES, deadline)
        except (OSError, Broken):
            return text
        return text

    def _receive(self, most: int, deadline: float) -> bytes:
        self._socket.settimeout(_left(deadline))
        received = self._socket.recv(most)
        if not received:
            raise Broken("the connection was closed without an answer")
        return received

    def is_alive(self, idle_seconds: float) -> bool:
        """Whether it may be used again: not idle for long, not closed, and nothing unasked has come."""
        if not self.reusable or not 0 <= time.time() - self._used <= idle_seconds:
            return False
        try:
            self._socket.settimeout(0)
            # Below TLS, whose own `recv` takes no flags.
            waiting = _socket.socket.recv(self._socket, 1, _socket.MSG_PEEK)
        except BlockingIOError:
            return True  # nothing to read, as it should be
        except OSError:
            return False
        # What a server says before it closes an idle connection (408) would be taken for the next answer.
        return waiting != b"" and self._tickets

    def close(self) -> None:
        """Ends it."""
        self._socket.close()

    def __del__(self) -> None:
        if hasattr(self, "_socket"):  # not where connecting failed
            self._socket.close()


def _connected(host: str, port: int, seconds: float) -> _socket.socket:
    error = OSError(f"{host} has no address")
    # As bytes: for text, `getaddrinfo` imports the codec of international names.
    for family, kind, protocol, _, address in _socket.getaddrinfo(
        host.encode(), port, type=_socket.SOCK_STREAM
    ):
        connection = _socket.socket(family, kind, protocol)
        try:
            connection.settimeout(seconds)
            connection.connect(address)
            connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        except OSError as refused:
            connection.close()
            error = refused
        else:
            return connection
    raise error


def _secured(host: str, port: int, context: "ssl.SSLContext", seconds: float) -> "ssl.SSLSocket":
    import socket

    connection = socket.create_connection((host, port), seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(connection, server_hostname=host)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _length(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > MAX_LENGTH_DIGITS:
        raise Broken(f"the answer's Content-Length is no length: {text:.60}")
    return int(text)


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise Broken(f"the answer is no HTTP: {first:.60}")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(rest[:3]), headers
