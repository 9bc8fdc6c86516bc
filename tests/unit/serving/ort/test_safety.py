"""Nothing a caller sends, and no way of ending, kills the process otherwise than by its own exit."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")

PRELUDE = """
import os, sys, threading, time
from coldpress.ort import Library, Session, SessionOptions, library_path
from coldpress.tensors import Tensor
library = Library.open(library_path())
session = Session.open(library, sys.argv[1], SessionOptions(threads=int(sys.argv[2])))
def run(count, **more):
    inputs = [Tensor("count", "INT64", (), count.to_bytes(8, "little")), Tensor("x", "FP32", (4,), bytes(16))]
    return session.run(inputs, **more)
held = run(3)
"""

ENDINGS = {
    "end": "",
    "exit": "sys.exit(7)",
    "raise": "raise SystemExit(7)",
    "cycle": "ring = [session, held]; ring.append(ring); sys.exit(7)",
    "patched": "import builtins; builtins.keep = [session, held]; sys.exit(7)",
    "watched": "run(3, deadline=time.monotonic() + 1000); sys.exit(7)",
    "busy thread": (
        "threading.Thread(target=run, args=(2**60,), daemon=True).start(); time.sleep(0.1); sys.exit(7)"
    ),
}


# A thread of the parent holds the watch's lock at most of these forks.
FORK = """
from coldpress.ort.deadline import _watch
def work():
    while True: _watch.remove(_watch.add(time.monotonic() + 1000, print))
threading.Thread(target=work, daemon=True).start()
for _ in range(8):
    child = os.fork()
    if child == 0:
        called = threading.Event()
        _watch.add(time.monotonic(), called.set)
        os._exit(7 if called.wait(60) else 8)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 7: break
os._exit(status)
"""


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_ends_as_it_should_with_everything_still_open(
    build: Any, tmp_path: Path, ending: str, threads: str
) -> None:
    done = script(build, tmp_path, ENDINGS[ending], threads)
    assert (done.returncode, done.stdout, done.stderr) == (0 if ending == "end" else 7, "", "")


def test_deadlines_are_kept_in_a_forked_process(build: Any, tmp_path: Path) -> None:
    done = script(build, tmp_path, FORK, "1")
    assert (done.returncode, done.stdout) == (7, "")


def script(build: Any, tmp_path: Path, ending: str, threads: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "model.onnx").write_bytes(build.endless())
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + ending, str(tmp_path / "model.onnx"), threads],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_rubbish_is_answered(seed: int) -> None:
    done = subprocess.run(
        [sys.executable, str(FUZZ), "2", str(seed)], capture_output=True, text=True, check=False, timeout=250
    )
    assert (done.returncode, done.stdout.splitlines()[-1:], done.stderr) == (0, ["ok"], ""), done.stdout
    # It got through to both sides: the fuzz itself is no rubbish.
    for outcome in ("run: done", "run: InvalidRequest", "run: OrtInvalidInput", "open: OrtError"):
        assert f"\n{outcome} " in f"\n{done.stdout}", done.stdout
