"""A proxy in front of an S3 server that writes down what is asked for."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

TIMEOUT_SECONDS = 30
Reply = tuple[int, dict[str, str], bytes]
REFUSAL: Reply = (403, {}, b"<Error><Code>AccessDenied</Code></Error>")
HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


class Call(NamedTuple):
    """One request and what became of it."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    status: int


class Recorder(ThreadingHTTPServer):
    """Passes everything on as it is: signatures hold, as the host's name is passed on too."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = endpoint.removeprefix("http://")
        self.calls: list[Call] = []
        self.refuses: Callable[[str, str], bool] = lambda _method, _target: False
        """Which requests are answered 403 instead of being passed on."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def recording(endpoint: str) -> Iterator[Recorder]:
    with Recorder(endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.server.refuses(self.command, self.path):
            status, headers, answer = REFUSAL
        else:
            status, headers, answer = self._ask(body)
        sent = {name.lower(): value for name, value in self.headers.items()}
        self.server.calls.append(Call(self.command, self.path, sent, body, status))
        # A HEAD's length is the object's, not the answer's.
        length = headers.get("Content-Length", str(len(answer)))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != "Content-Length")
        head = f"HTTP/1.1 {status} .\r\n{lines}Content-Length: {length}\r\n\r\n"
        self.wfile.write(head.encode("latin-1") + answer)

    def _ask(self, body: bytes) -> Reply:
        connection = http.client.HTTPConnection(self.server.behind, timeout=TIMEOUT_SECONDS)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        reply = connection.getresponse()
        answer = reply.read()
        kept = {name: value for name, value in reply.getheaders() if name.lower() not in HOP_BY_HOP}
        if self.command == "HEAD":
            kept["Content-Length"] = reply.getheader("Content-Length", "0")
        connection.close()
        return reply.status, kept, answer

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Quiet."""
