"""Runs as processes of this machine: started, followed, stopped, killed, published. All of it is real."""

import contextlib
import fcntl
import json
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from onnx import parser
from typer.testing import CliRunner

from coldpress import runs
from coldpress.errors import Unsupported
from coldpress.runs import Run
from coldpress_ops import serverprocess
from coldpress_ops.cli import app
from coldpress_ops.jobs import backend, local
from coldpress_ops.jobs.datasets import stored

LONGEST = 120
"""Seconds that anything may take."""
MODEL = '<ir_version: 10, opset_import: ["" : 20]> g (float[n,2] x) => (float[n,2] y) { y = Add (x, x) }'


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def launched(state: Path) -> Iterator[Callable[..., tuple[Run, int]]]:
    """Stores a run and starts its process; all of them are gone at the end."""
    processes: list[int] = []

    def launch(**wishes: Any) -> tuple[Run, int]:
        endless = {"epochs": "100000", "patience": "100000", "checkpoint_steps": "200"}
        run = runs.order("text-classifier", endless, on="local", **wishes)
        runs.create(local.store_of(state, make=True), run)
        processes.append(local.launch(state, run.id))
        return run, processes[-1]

    yield launch
    for process in processes:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "Rows (1).csv"
    path.write_text("text,label\n" + "fine film,good\nawful film,bad\n" * 30)
    return path


def coldpress(state: Path, *arguments: str) -> Any:
    """The command line, in this process: torch, which `train` needs to know its settings, is here already."""
    return CliRunner().invoke(app, [*arguments, "--state", str(state)])


def until(state: Path, run: Run, come: Callable[[Run], bool]) -> Run:
    deadline = time.monotonic() + LONGEST
    store = local.store_of(state)
    while not come(now := runs.read(store, run.id)):
        assert time.monotonic() < deadline, now
        time.sleep(0.02)
    return now


def test_a_run_is_ordered_followed_and_says_why_it_failed(state: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("text,label\nfine,good\n")
    done = coldpress(state, "train", "text-classifier", "--data", str(bad), "--on", "local", "-f")
    assert done.exit_code == 1
    run_id, *log = done.stdout.splitlines()
    (run,) = json.loads(coldpress(state, "runs", "--json").stdout)
    assert (run["id"], run["state"], run["on"], run["attempts"]) == (run_id, "failed", "local", 1)
    assert run["data"].startswith("datasets/bad/")
    assert run["reason"] in log[-1]
    assert done.stderr.splitlines()[-1] == f"{run_id} failed: {run['reason']}"
    assert coldpress(state, "runs", "logs", run_id).stdout.splitlines() == log
    assert run_id in coldpress(state, "runs").stdout
    assert "state     failed" in coldpress(state, "runs", "show", run_id).stdout
    assert (
        coldpress(state, "runs", "stop", run_id).stderr == f"error: {run_id} is over already: it has failed\n"
    )


def test_a_wrong_setting_starts_nothing(state: Path) -> None:
    done = coldpress(state, "train", "text-classifier", "--set", "epochs=many", "--on", "local")
    assert done.exit_code == 1
    assert "epochs='many' is not a whole number" in done.stderr
    assert coldpress(state, "runs").stderr.startswith("error: ")


def test_a_run_is_stopped(state: Path, rows: Path, launched: Any) -> None:
    run, process = launched(data=stored(local.store_of(state, make=True), str(rows)))
    until(state, run, lambda now: now.attempts == 1)
    done = coldpress(state, "runs", "stop", run.id)
    assert (done.exit_code, done.stderr) == (0, f"{run.id} is asked to stop; it ends within 30 s\n")
    os.waitpid(process, 0)
    told = runs.read(local.store_of(state), run.id)
    assert (told.state, told.reason, told.attempts) == ("stopped", "stopped on request", 1)


def test_a_run_that_nobody_looks_after_is_stopped_too(state: Path, launched: Any) -> None:
    run, process = launched()
    until(state, run, lambda now: now.state == "running")
    (job,) = _children(process)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert backend.LocalRuns(state).run(run.id).state == "running"  # the job goes on without it
    done = coldpress(state, "runs", "stop", run.id)
    assert (done.exit_code, done.stderr) == (0, f"{run.id} stopped\n")
    assert not Path(f"/proc/{job}/cmdline").exists() or not Path(f"/proc/{job}/cmdline").read_bytes()
    told = runs.read(local.store_of(state), run.id)
    assert (told.state, told.reason, bool(told.ended)) == ("stopped", "stopped on request", True)


def test_a_job_that_does_not_end_when_told_is_killed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, job = _abandoned(state, "trap '' TERM; echo; while :; do sleep 1; done")
    monkeypatch.setattr(local, "STOP_SECONDS", 0.3)
    told = backend.LocalRuns(state).stop(run.id)
    assert (told.state, told.reason) == ("stopped", local.ON_REQUEST)
    assert job.wait() == -signal.SIGKILL


def test_a_job_of_another_machine_is_left_to_it(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, job = _abandoned(state, "echo; sleep 100")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("platform.node", lambda: "elsewhere")
        with pytest.raises(Unsupported, match=f"nobody looks after {run.id} .*: kill -- -{job.pid}$"):
            backend.LocalRuns(state).stop(run.id)
        assert job.poll() is None
    assert backend.LocalRuns(state).stop(run.id).state == "stopped"
    assert job.wait() == -signal.SIGTERM


def test_an_interrupted_run_goes_on_where_it_was(state: Path, rows: Path, launched: Any) -> None:
    store = local.store_of(state, make=True)
    run, process = launched(data=stored(store, str(rows)))
    until(state, run, lambda _: any(store.walk(f"{run.folder}checkpoints")))
    # What an operator's kill does: to the job, not to the process that looks after it.
    (job,) = _children(process)
    os.kill(job, signal.SIGTERM)
    told = until(state, run, lambda now: now.attempts == 2)
    assert told.state == "running"
    assert "; the next attempt, if there is one, goes on" in runs.logs(store, run).text
    until(state, run, lambda _: "goes on after step" in runs.logs(store, run).text)


def test_a_run_whose_process_went_away_is_told_of(state: Path, launched: Any) -> None:
    run, process = launched()
    until(state, run, lambda now: now.state == "running")
    found = backend.LocalRuns(state)
    assert found.run(run.id).state == "running"
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    until(state, run, lambda _: found.run(run.id).is_over)  # the job itself takes a moment to be gone
    told = found.run(run.id)
    assert (told.state, told.reason) == ("failed", local.GONE)
    assert [each.id for each in found.newest(5)] == [run.id]


def test_what_is_stored_is_published_and_answers(state: Path) -> None:
    """An attempt that was killed between its results and the upload: the next one only publishes."""
    with serverprocess.running(state) as server:
        store = local.store_of(state)
        run = runs.order("text-classifier", publish="mood", on="local")._replace(metrics={"accuracy": 0.9})
        runs.create(store, run)
        store.create(f"{run.folder}model.onnx", parser.parse_model(MODEL).SerializeToString())
        assert os.waitpid(local.launch(state, run.id), 0)[1] == 0
        assert runs.read(store, run.id).state == "succeeded"
        there = ("--url", server.url)
        shown = json.loads(coldpress(state, "runs", "show", run.id, "--json", *there).stdout)
        assert (shown["state"], shown["metrics"]) == ("succeeded", {"accuracy": 0.9})
        logs = coldpress(state, "runs", "logs", "-f", run.id, *there)
        assert (logs.exit_code, logs.stdout) == (0, f"uploaded as {shown['upload']}\n")
        deadline = time.monotonic() + LONGEST
        while (done := coldpress(state, "predict", "mood", "[[1, 2]]", *there)).exit_code:
            assert time.monotonic() < deadline, done.stderr
        assert json.loads(done.stdout) == {"y": [2.0, 4.0]}
        refused = coldpress(state, "runs", "stop", run.id, *there)
        assert (refused.exit_code, "is over already" in refused.stderr) == (1, True)


def _abandoned(state: Path, script: str) -> "tuple[Run, subprocess.Popen[bytes]]":
    """A run whose job holds its lock; the process that looked after it is gone."""
    run = runs.create(local.store_of(state, make=True), runs.order("text-classifier", on="local"))
    log = state / "jobs" / f"{run.id}.log"
    log.parent.mkdir()
    with log.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        job = subprocess.Popen(["sh", "-c", script], stdout=held, start_new_session=True)
    log.with_suffix(".process").write_text(f"{job.pid} {platform.node()}")
    deadline = time.monotonic() + LONGEST
    while not log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return run, job


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
