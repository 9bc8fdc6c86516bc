"""One attempt at a run: the worker is started, watched and, when it ends, understood."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, cast

from coldpress import runs
from coldpress.jobs import RETRY_EXIT
from coldpress.runs import FAILED, RUNNING, SUCCEEDED, News, Run
from coldpress.store import Store
from coldpress_build.job.launch import REASON_VARIABLE, Place, command, place
from coldpress_build.job.pieces import Pieces

READ_BYTES = 64 << 10
FAILURE = 1


def attempt(environment: Mapping[str, str]) -> int:
    """Does what the record asks for; the exit status: 0 done, `RETRY_EXIT` interrupted, else failed.

    A run that is over, was stopped or has another job is not begun: 0 only if it has succeeded.

    SIGTERM is passed on to the worker, which has 30 s (AWS Batch's) to leave a checkpoint.

    Raises:
        InvalidRequest, NotFound, StoreUnusable, Unavailable: the record cannot be had.
    """
    here = place(environment)
    store = Store(here.store)
    run = _begun(store, here)
    if run is None:
        # Batch makes "succeeded" of a 0, and that outranks every other end of a run.
        return 0 if runs.read(store, here.run).state == SUCCEEDED else FAILURE
    with tempfile.TemporaryDirectory(prefix="coldpress-job-") as scratch, _terminations() as watch:
        note = Path(scratch, "reason")
        # The log is whole before the run is over: whoever follows it reads until then.
        with Pieces(store, run, here.attempt, here.node) as pieces:
            status = _worked(command(here, run), note, watch, pieces.add if here.is_main else _forget)
        reason = note.read_text() if note.exists() else ""
    if watch.told and status:
        status = RETRY_EXIT
    if here.is_main or reason:
        _conclude(store, run, status, reason)
    return status if 0 <= status < 256 else FAILURE


def _begun(store: Store, here: Place) -> Run | None:
    """The record, now running; None when there is nothing (more) to do."""
    run = runs.read(store, here.run)
    if run.is_over or run.stop:
        print(f"{run.id} has {run.state} already" if run.is_over else f"{run.id} was stopped")  # noqa: T201
        _conclude(store, run, RETRY_EXIT)
        return None
    if not here.is_main:
        return run
    news = News(RUNNING, runs.now(), job=here.job, attempts=here.attempt, own=True)
    run = runs.tell(store, run.id, news)
    if here.job and run.job != here.job:
        print(f"{run.id} is the business of the job {run.job}, not of {here.job}")  # noqa: T201
        return None
    return run


def _conclude(store: Store, run: Run, status: int, reason: str = "") -> None:
    run = runs.read(store, run.id)
    if status == 0:
        runs.tell(store, run.id, News(SUCCEEDED, runs.now(), own=True))
    elif run.stop and not run.is_over:
        runs.tell(store, run.id, News(FAILED, runs.now(), reason="stopped on request", own=True))
    elif status != RETRY_EXIT and not run.is_over:
        runs.tell(store, run.id, News(FAILED, runs.now(), reason=reason or _words(status), own=True))


def _words(status: int) -> str:
    if status >= 0:
        return f"the worker ended with exit status {status}; its log has the reason"
    name = signal.Signals(-status).name
    hint = "; most often: out of memory" if name == "SIGKILL" else ""
    return f"the worker was ended by {name}{hint}"


class _Watch:
    """Who is to be told of a SIGTERM, and whether one came."""

    def __init__(self) -> None:
        self.told = False
        self.worker: subprocess.Popen[bytes] | None = None

    def over(self, worker: "subprocess.Popen[bytes]") -> None:
        """Watches over `worker` from now on; what came before it was there is passed on."""
        self.worker = worker
        if self.told:
            worker.terminate()

    def tell(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self.told = True
        if self.worker is not None and self.worker.poll() is None:
            self.worker.terminate()


@contextmanager
def _terminations() -> Iterator[_Watch]:
    watch = _Watch()
    before = signal.signal(signal.SIGTERM, watch.tell)
    try:
        yield watch
    finally:
        signal.signal(signal.SIGTERM, before)


def _worked(words: list[str], note: Path, watch: _Watch, keep: Callable[[bytes], None]) -> int:
    """The worker's exit status; -N for the signal N. Into `note` it writes why it failed, if it can."""
    if watch.told:
        return RETRY_EXIT
    environment = os.environ | {REASON_VARIABLE: str(note)}
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    ) as worker:
        watch.over(worker)
        output = cast("IO[bytes]", worker.stdout)
        while data := output.read(READ_BYTES):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            keep(data)
    return worker.returncode


def _forget(_data: bytes) -> None:
    """Another node than the main one: CloudWatch has its log."""
