"""A process that does not outlive the tests, however they end.

As a program (`python keeper.py GRACE COMMAND …`) it runs a command, and ends it when its own standard input
ends: that happens when the tests close it and when they are killed.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

GRACE_SECONDS = 20


@contextlib.contextmanager
def kept(
    command: list[str], log: Path, environment: Mapping[str, str] = os.environ, grace: int = GRACE_SECONDS
) -> Iterator[subprocess.Popen[bytes]]:
    """The keeper of a command for the length of a `with` block; it ends when the command does.

    `grace`: seconds from SIGTERM to SIGKILL; 0 sends the latter at once.
    """
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, __file__, str(grace), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=log.parent,
            start_new_session=True,  # Ctrl-C is for the tests
        )
    try:
        yield keeper
    finally:
        keeper.communicate(timeout=GRACE_SECONDS + grace)


def _keep(command: list[str], grace: int) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    ended = os.pidfd_open(child.pid)
    ready, _, _ = select.select([sys.stdin, ended], [], [])
    if ended not in ready and grace:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(grace)
    # Whatever it started and left.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


if __name__ == "__main__":
    sys.exit(_keep(sys.argv[2:], int(sys.argv[1])))
