"""A run as a process of this machine: the container's entry point, and the rules of the job definition.

`start` leaves a process behind that stays when the command line ends: `python -m coldpress_ops.jobs.local`.
It and its job hold a lock as long as they live, so that a run that goes on can be told from one whose
processes went away. A second lock is its own: a job that goes on without it has nobody who would stop it.
"""

import contextlib
import fcntl
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

from coldpress import runs
from coldpress.errors import ColdpressError, NotFound, Unsupported
from coldpress.jobs import ATTEMPTS, ENTRY_POINT, RETRY_EXIT, RUN_VARIABLE, STORE_VARIABLE
from coldpress.runs import FAILED, STOPPED, News, Run
from coldpress.store import Store

LOOK_SECONDS = 0.2
STOP_SECONDS = 30
"""Between SIGTERM and SIGKILL, as AWS Batch does."""
ON_REQUEST = "stopped on request"
GONE = "its process went away without a word (killed, or the machine was restarted); start it again"


def folder_of(state: Path) -> Path:
    """Where a state folder keeps its store."""
    return state.absolute() / "objects"


def store_of(state: Path, *, make: bool = False) -> Store:
    """A state folder's store. Raises `NotFound` where there is none and `make` is not said."""
    folder = folder_of(state)
    if not make and not folder.is_dir():
        raise NotFound(f"{state} holds no runs; give --state DIR, or --url of a deployment")
    return Store(f"file://{folder}")


def start(state: Path, run: Run) -> Run:
    """Stores the record and starts the process. Raises `Conflict` when there is a run with this id."""
    run = runs.create(store_of(state, make=True), run._replace(on="local"))
    launch(state, run.id)
    return run


def launch(state: Path, run_id: str) -> int:
    """Starts the process that looks after a stored run; its id.

    It leads a session of its own: Ctrl-C here does not reach it, and it stays when this process ends.
    """
    lock = _lock_file(state, run_id)
    lock.parent.mkdir(parents=True, exist_ok=True)
    # The lock is taken here and inherited with the file: there is no moment at which nobody holds it.
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "coldpress_ops.jobs.local", str(state.absolute()), run_id],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, held.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, held.fileno(), 2),
            ],
            setsid=True,
        )


def looked_after(state: Path, run: Run) -> Run:
    """`run`, or what it is if its process went away."""
    if run.on != "local" or run.is_over or not _is_alone(_lock_file(state, run.id)):
        return run
    store = store_of(state)
    # It may have ended, and said so, since the record was read.
    end = STOPPED if run.stop else FAILED
    return runs.tell(store, run.id, News(end, runs.now(), reason=GONE))


def end_abandoned(state: Path, run: Run) -> Run:
    """Ends a job that nobody looks after any more, as its own process would have; `run` after that.

    Raises:
        Unsupported: it is a process of another machine.
    """
    lock, leader = _lock_file(state, run.id), _leader_file(state, run.id)
    if not _is_alone(leader) or _is_alone(lock) or not (named := leader.read_text()):
        return run
    # The job is of this group, so the number belongs to nobody else.
    group, _, machine = named.partition(" ")
    if machine != platform.node():
        raise Unsupported(
            f"nobody looks after {run.id} any more, on {machine or 'a machine without a name'}; end it "
            f"there: kill -- -{group}"
        )
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            os.killpg(int(group), number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if _is_alone(lock):
                return runs.tell(store_of(state), run.id, News(FAILED, runs.now(), reason=ON_REQUEST))
            time.sleep(LOOK_SECONDS)
    return run


def _leader_file(state: Path, run_id: str) -> Path:
    return _lock_file(state, run_id).with_suffix(".process")


def _lock_file(state: Path, run_id: str) -> Path:
    return state.absolute() / "jobs" / f"{run_id}.log"


def _is_alone(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        # Started elsewhere (another machine's folder): nothing can be said of it.
        return False
    except BlockingIOError:
        return False
    return True


def supervise(state: Path, run_id: str) -> None:
    """Starts the job until it ends otherwise than interrupted, and ends it when the record says so."""
    # The job does not inherit this one.
    with _leader_file(state, run_id).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        print(os.getpid(), platform.node(), end="", file=held, flush=True)
        _attempts(store_of(state), run_id)


def _attempts(store: Store, run_id: str) -> None:
    for number in range(1, ATTEMPTS + 1):
        status = _attempt(store, run_id, number)
        run = runs.read(store, run_id)
        if run.is_over:
            return
        if run.stop or status != RETRY_EXIT:
            reason = ON_REQUEST if run.stop else f"the job ended with exit status {status}"
            runs.tell(store, run_id, News(FAILED, runs.now(), reason=reason))
            return
    runs.tell(store, run_id, News(FAILED, runs.now(), reason=f"interrupted {ATTEMPTS} times; start it again"))


def _attempt(store: Store, run_id: str, number: int) -> int:
    given = {RUN_VARIABLE: run_id, STORE_VARIABLE: store.url, "AWS_BATCH_JOB_ATTEMPT": str(number)}
    # In a batch job there is no key either: what a run needs, it has in the store.
    inherited = {name: value for name, value in os.environ.items() if name != "COLDPRESS_API_KEY"}
    with subprocess.Popen([sys.executable, "-m", ENTRY_POINT], env=inherited | given) as job:
        while True:
            try:
                return job.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if _shall_stop(store, run_id):
                    return _ended(job)


def _shall_stop(store: Store, run_id: str) -> bool:
    try:
        return runs.read(store, run_id).stop
    except ColdpressError:  # the folder cannot be read now: the job will find out by itself
        return False


def _ended(job: "subprocess.Popen[bytes]") -> int:
    job.terminate()
    try:
        return job.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        job.kill()
        return job.wait()


if __name__ == "__main__":
    supervise(Path(sys.argv[1]), sys.argv[2])
