"""Ends every child process once the server is gone, even by `kill -9`."""

import subprocess
from typing import Self

STOP_SECONDS = 5.0


class Watchdog:
    """A tiny process that leads the process group all execution environments join.

    It waits for the end of a pipe that only the server holds open, then kills the group. A group of
    their own also keeps Ctrl-C in the terminal away from the functions, so that requests can finish.
    (`PR_SET_PDEATHSIG` would fire when the spawning thread ends, and needs code between fork and exec.)
    """

    def __init__(self) -> None:
        """Starts it."""
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", "read -r line; kill -9 0"], stdin=subprocess.PIPE, process_group=0
        )
        self.group = self._process.pid

    def close(self) -> None:
        """Kills what is left of the group."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()
