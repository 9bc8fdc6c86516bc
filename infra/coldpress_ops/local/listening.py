"""uvicorn on a socket that is already bound, so that a taken port is our error and port 0 can be told."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from coldpress.errors import ColdpressError
from coldpress_ops.local.web import Web

STOP_SECONDS = 5
"""What running requests have left once the server is told to stop."""
BACKLOG = 512


class AddressUnusable(ColdpressError):
    """The host and port cannot be listened on."""


class HttpServer(uvicorn.Server):
    """Serves until SIGINT or SIGTERM, then returns once running requests are answered."""

    def __init__(self, web: Web, ready: Callable[[], None]) -> None:
        """`ready` is called once requests are answered."""
        super().__init__(
            uvicorn.Config(
                web,
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and says so."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stops on a signal without raising it again afterwards, as uvicorn would: stopping is no failure."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Raises `AddressUnusable`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        # Python's own text repeats the address; name resolution has negative numbers of its own.
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)
        raise AddressUnusable(
            f"cannot listen on {host} port {port}: {reason}; give another with --port (0 picks a free one)"
        ) from error
    # Accepted connections inherit it. asyncio sets it only on sockets that name their protocol, which
    # Python's do not, and uvicorn sends header and body apart: 44 ms a request without, 2 ms with.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a client on this machine reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not listened on
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
