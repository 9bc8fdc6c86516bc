"""What a file may do to the process that tries it out, with real signals."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coldpress.errors import Internal, Unavailable
from coldpress.ingest.ingest import RESERVE_SECONDS, Ingest
from coldpress.settings import Settings


@pytest.fixture
def at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes every Python that inherits our path run a line of code when it starts."""

    def write(code: str) -> None:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(f"import os, signal, sys, time\n{code}\n")
        monkeypatch.syspath_prepend(str(folder))

    return write


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGSEGV, "ONNX Runtime crashed while it opened or ran the model (SIGSEGV)"),
        (signal.SIGABRT, "ONNX Runtime crashed while it opened or ran the model (SIGABRT)"),
        (signal.SIGKILL, "most likely because it needs more than this machine's memory"),
    ],
)
def test_a_crash_is_a_refusal_with_its_reason(
    world: Any,
    build: Callable[..., bytes],
    at_start: Callable[[str], None],
    number: signal.Signals,
    reason: str,
) -> None:
    at_start(f"os.kill(os.getpid(), {number.value})")
    upload = world.upload(build())
    outcome = world.ingest(upload.key)
    assert outcome["outcome"] == "rejected"
    assert reason in outcome["reason"]
    assert world.state(upload)["state"] == "rejected"


def test_the_functions_memory_is_named(
    world: Any, build: Callable[..., bytes], at_start: Callable[[str], None]
) -> None:
    at_start("os.kill(os.getpid(), signal.SIGKILL)")
    ingest = Ingest(Settings(store=world.store.url, memory_mb=3008))
    assert "more than the function's 3008 MB" in ingest(world.upload(build()).key)["reason"]


@pytest.mark.parametrize("code", ["os.kill(os.getpid(), signal.SIGTERM)", "sys.exit(3)"])
def test_an_end_that_is_not_the_files_doing_is_tried_again(
    world: Any, build: Callable[..., bytes], at_start: Callable[[str], None], code: str
) -> None:
    at_start(code)
    upload = world.upload(build())
    with pytest.raises(Internal, match="ended early"):
        world.ingest(upload.key)
    assert world.state(upload)["state"] == "failed"
    (Path(world.folder).parent / "site" / "sitecustomize.py").unlink()
    assert world.ingest(upload.key) == {"outcome": "ready", "version": 1}


def test_a_trial_that_hangs_is_killed(
    world: Any, build: Callable[..., bytes], at_start: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coldpress.ingest.isolation.GRACE_SECONDS", 0.5)
    monkeypatch.setattr("coldpress.ingest.ingest.TRIAL_SHARE", 0.0)  # however slow this machine is
    at_start("time.sleep(60)")
    outcome = world.ingest(world.upload(build()).key, seconds=1)
    assert outcome["reason"] == "it could not be opened and run within 1 s"


def test_a_file_is_not_refused_because_the_store_was_slow(
    world: Any, build: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = world.upload(build())
    fetch = world.ingest.store.fetch
    with monkeypatch.context() as patch:
        # Within its reserve the attempt has 1 s, and the store takes more than half of that.
        patch.setattr(world.ingest.store, "fetch", lambda *which: time.sleep(0.6) or fetch(*which))
        with pytest.raises(Unavailable, match="s are left to try the model"):
            world.ingest(upload.key, 1, seconds=RESERVE_SECONDS + 1)
    assert world.state(upload)["state"] == "failed"
    assert world.ingest(upload.key, 2) == {"outcome": "ready", "version": 1}


def test_the_upload_secret_stays_out_of_the_trial(
    world: Any, build: Callable[..., bytes], at_start: Callable[[str], None], tmp_path: Path
) -> None:
    at_start(f"open({str(tmp_path / 'task')!r}, 'w').write(sys.stdin.read()); sys.exit(3)")
    ingest = Ingest(Settings(store=world.store.url, upload_secret="hush-hush"))
    with pytest.raises(Internal):
        ingest(world.upload(build()).key)
    task = (tmp_path / "task").read_text()
    assert '"folder"' in task
    assert "hush-hush" not in task


def test_the_trial_is_the_first_to_go_when_memory_runs_out(
    world: Any, build: Callable[..., bytes], at_start: Callable[[str], None], tmp_path: Path
) -> None:
    at_start(
        "import atexit; atexit.register(lambda: "
        f"open({str(tmp_path / 'score')!r}, 'w').write(open('/proc/self/oom_score_adj').read()))"
    )
    assert world.put(build())["outcome"] == "ready"
    assert (tmp_path / "score").read_text().strip() == "1000"
