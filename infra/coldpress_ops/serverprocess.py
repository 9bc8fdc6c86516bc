"""`coldpress up` as a child process: started, waited for until it answers, and stopped."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coldpress.errors import ColdpressError

READY_SECONDS = 30
STOP_SECONDS = 15


class ServerFailed(ColdpressError):
    """The local server did not come up; the message is what it said."""


@dataclass(frozen=True)
class ServerProcess:
    """A running local server."""

    url: str
    state: Path
    process: subprocess.Popen[str]

    @property
    def key(self) -> str:
        """The admin key that the server made for itself."""
        return (self.state / "key").read_text().strip()

    def kill(self) -> None:
        """`kill -9`: nothing gets a chance to tidy up."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """Asks the server to finish its requests and end; kills it if it does not."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def start(state: Path, port: int = 0) -> ServerProcess:
    """Starts `coldpress up` and waits until it answers.

    Raises:
        ServerFailed: it ended first, or did not answer in time.
    """
    state.mkdir(parents=True, exist_ok=True)
    output = state / "up.log"
    command = [sys.executable, "-m", "coldpress_ops", "up", "--port", str(port), "--state", str(state)]
    with output.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        said = output.read_text()
        ready = [line for line in said.splitlines() if line.startswith("ready http")]
        if ready:
            return ServerProcess(ready[0].split()[1], state, process)
        if process.poll() is not None:
            raise ServerFailed(f"the local server did not start: {said.strip()}")
        time.sleep(0.02)
    process.kill()
    said = output.read_text().strip()
    raise ServerFailed(f"the local server did not answer within {READY_SECONDS} s: {said}")


@contextmanager
def running(state: Path, port: int = 0) -> Iterator[ServerProcess]:
    """A server for the length of a `with` block."""
    server = start(state, port)
    try:
        yield server
    finally:
        server.stop()
