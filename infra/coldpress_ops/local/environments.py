"""Execution environments: one child process each, under the real `awslambdaric`.

Stands on its own (no template, no HTTP server), so that benchmarks measure the same thing:

    with Environment.start(Path("functions/predict"), "app.handler", {"COLDPRESS_STORE": url}) as environment:
        environment.ready(timeout=10)                 # seconds from spawn to initialised
        answer = environment.invoke(b"{}", timeout=29)
"""

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from coldpress_ops.local.aws import function_arn, lambda_variables
from coldpress_ops.local.failures import Crashed, FunctionFailed, InitFailed, TimedOut
from coldpress_ops.local.runtime import Call, Gone, RuntimeApi

# What a function may see of the environment it is started from: no credentials.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
INIT_SECONDS = 10.0
"""Lambda ends an initialisation that takes longer."""
# For what is only a few hundred bytes to a process on the same machine.
REPLY_SECONDS = 5.0


class Environment:
    """One process that serves one event at a time. Only `kill` may be called from another thread."""

    def __init__(self, name: str, api: RuntimeApi, process: subprocess.Popen[bytes], started: float) -> None:
        """Use `start`."""
        self.name = name
        self.pid = process.pid
        self._api = api
        self._process = process
        self._started = started
        self._waiting: Call | None = None
        self._init_seconds: float | None = None
        self._killing = threading.Lock()

    @classmethod
    def start(
        cls,
        folder: Path,
        handler: str,
        variables: Mapping[str, str],
        *,
        name: str = "function",
        memory_mb: int = 1769,
        python: Sequence[str] = (sys.executable,),
        output: int | None = None,
        group: int | None = None,
    ) -> Self:
        """Spawns the process and returns at once, before it is initialised.

        Args:
            folder: the function's code; becomes its working directory and `LAMBDA_TASK_ROOT`.
            handler: `module.function`.
            variables: added to what Lambda sets and to `INHERITED`.
            memory_mb: told to the function; not enforced.
            python: interpreter and its options.
            output: file descriptor for stdout and stderr; None: discarded.
            group: process group to join; None: the caller's.
        """
        api = RuntimeApi()
        environment = {key: os.environ[key] for key in INHERITED if key in os.environ}
        environment |= lambda_variables(name, handler, folder, memory_mb, api.address)
        environment |= variables
        sink = subprocess.DEVNULL if output is None else output
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                [*python, "-m", "awslambdaric", handler],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                process_group=group,
            )
        except OSError:
            api.close()
            raise
        started_environment = cls(name, api, process, started)
        try:
            api.watch(os.pidfd_open(process.pid))
        except OSError:
            started_environment.close()
            raise
        return started_environment

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ready(self, timeout: float = INIT_SECONDS) -> float:
        """Waits until the handler's module is loaded; seconds from spawn until that was seen.

        Raises:
            InitFailed: it cannot be loaded.
            Crashed: the process ended first.
            TimedOut: not within `timeout` seconds; the process is killed.
        """
        if self._init_seconds is None:
            self._wait_next(time.monotonic() + timeout, f"start within {timeout:g} s")
            self._init_seconds = time.monotonic() - self._started
        return self._init_seconds

    def invoke(self, event: bytes, timeout: float, init_timeout: float = INIT_SECONDS) -> bytes:
        """Gives the handler one event (JSON) and waits for its answer (JSON).

        Args:
            timeout: seconds from the hand-over to the answer.
            init_timeout: seconds for the initialisation, when that is still going on.

        Raises:
            FunctionFailed: the handler raised. The environment can be used again.
            InitFailed, Crashed, TimedOut: the environment has ended.
        """
        self.ready(init_timeout)
        waiting = self._wait_next(
            time.monotonic() + REPLY_SECONDS, f"ask for work within {REPLY_SECONDS:g} s"
        )
        if not self.alive:
            # Its request for work outlived it, in the socket's buffer.
            raise self._crashed(delivered=False)
        request_id = str(uuid.uuid4())
        deadline = time.monotonic() + timeout
        self._waiting = None
        headers = [
            ("Lambda-Runtime-Aws-Request-Id", request_id),
            ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + timeout) * 1000))),
            ("Lambda-Runtime-Invoked-Function-Arn", function_arn(self.name)),
            ("Content-Type", "application/json"),
        ]
        try:
            waiting.connection.reply(200, headers, event, timeout)
            while (outcome := (call := self._api.receive(deadline)).outcome(request_id)) is None:
                call.connection.reply(404, [], b"", REPLY_SECONDS)
            call.connection.reply(202, [], b"", REPLY_SECONDS)
        except TimeoutError:
            raise self._timed_out(f"answer within its {timeout:g} s") from None
        except (Gone, ConnectionError):
            raise self._crashed(delivered=True) from None
        if outcome == "error":
            raise FunctionFailed(self.name, call.body)
        return call.body

    def _wait_next(self, deadline: float, what: str) -> Call:
        """The function's request for an event, at hand or awaited."""
        while self._waiting is None:
            try:
                call = self._api.receive(deadline)
                if call.is_next:
                    self._waiting = call
                    break
                call.connection.reply(202 if call.is_init_error else 404, [], b"", REPLY_SECONDS)
            except TimeoutError:
                raise self._timed_out(what) from None
            except (Gone, ConnectionError):
                raise self._crashed(delivered=False) from None
            if call.is_init_error:
                self.close()
                raise InitFailed(self.name, call.body)
        return self._waiting

    def _timed_out(self, what: str) -> TimedOut:
        self.close()
        return TimedOut(f"{self.name} did not {what} and was stopped")

    def _crashed(self, delivered: bool) -> Crashed:
        self.close()
        return Crashed(self.name, self._process.returncode, delivered)

    def kill(self) -> None:
        """Ends the process; a thread inside `invoke` gets `Crashed`."""
        with self._killing:
            if self._process.poll() is None:
                self._process.kill()

    def close(self) -> None:
        """Ends the process and frees everything it held."""
        self.kill()
        self._process.wait(REPLY_SECONDS)
        self._api.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()
