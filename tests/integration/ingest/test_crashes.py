"""Killed at every single write, and several at once: exactly one version, nothing lost."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coldpress.ingest import scratch

# Ends itself by SIGKILL right before or right after its n-th write to the store.
SCRIPT = """
import os, signal, sys
from coldpress.ingest import transaction
from coldpress.ingest.ingest import Ingest
from coldpress.settings import Settings
from coldpress.store import Store

url, key, when, last = sys.argv[1:4] + [int(sys.argv[4])]
transaction._PROVEN.add(url)  # what the store refuses is no write
writes = 0

def counted(write):
    def call(*arguments):
        global writes
        writes += 1
        if writes == last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = write(*arguments)
        if writes == last and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    return call

for name in ("create", "upload", "replace", "overwrite"):
    setattr(Store, name, counted(getattr(Store, name)))
Ingest(Settings(store=url))(key)
print("writes", writes)
"""

WRITES = 8
"""record, claim, two artefacts, commit, manifest, alias, record."""
REFUSAL_WRITES = 3
"""record, record, refusal."""


def run(world: Any, key: str, when: str, last: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, world.store.url, key, when, str(last)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(world.scratch)},
    )


def test_the_number_of_writes_is_known(world: Any, build: Callable[..., bytes]) -> None:
    for data, writes in ((build(), WRITES), (b"oops", REFUSAL_WRITES)):
        process = run(world, world.upload(data).key, "before", 0)
        assert process.communicate()[0].splitlines()[-1] == f"writes {writes}"


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("last", range(1, WRITES + 1))
def test_killed_at_any_write_and_delivered_again(
    world: Any, build: Callable[..., bytes], when: str, last: int
) -> None:
    world.put(build(number="first"))
    upload = world.upload(build(number="second"))
    process = run(world, upload.key, when, last)
    process.communicate()
    assert process.returncode == -9
    # What is registered after a crash is whole: an alias never points at something that is not there.
    for route in world.alias().routes:
        for artifact in route.manifest.artifacts:
            assert world.store.head(artifact.key).size == artifact.size

    outcome = world.ingest(upload.key)
    assert outcome["outcome"] == "ready" or outcome == {"outcome": "known", "state": "ready"}
    assert one_version_more(world, upload)
    assert world.ingest(upload.key) == {"outcome": "known", "state": "ready"}
    assert one_version_more(world, upload)


def one_version_more(world: Any, upload: Any) -> bool:
    """The second upload is a version exactly once, `prod` points at it, and its files are whole."""
    first, second = world.versions()
    manifest = world.manifest(second)
    assert first == 1
    assert manifest.source["upload"] == upload.id
    assert manifest.metadata == {"number": "second"}
    assert world.state(upload)["version"] == second
    alias = world.alias()
    assert [route.manifest for route in alias.routes] == [manifest]
    assert [row["routes"] for row in alias.history] == [[{"version": 1, "weight": 1.0}]]
    for artifact in manifest.artifacts:
        assert world.store.head(artifact.key).size == artifact.size
    return True


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("last", range(1, REFUSAL_WRITES + 1))
def test_a_refusal_survives_a_kill(world: Any, when: str, last: int) -> None:
    upload = world.upload(b"oops")
    process = run(world, upload.key, when, last)
    process.communicate()
    assert process.returncode == -9
    world.ingest(upload.key)
    assert world.state(upload)["state"] == "rejected"
    assert world.rejection(upload)["reason"].startswith("this is no ONNX model")
    assert world.versions() == []


@pytest.mark.parametrize("workers", [2, 4])
def test_the_same_event_in_several_processes_at_once(
    world: Any, build: Callable[..., bytes], workers: int
) -> None:
    upload = world.upload(build())
    processes = [run(world, upload.key, "before", 0) for _ in range(workers)]
    outcomes = [json.loads(process.communicate()[0].splitlines()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * workers
    assert "ready" in {outcome["outcome"] for outcome in outcomes}
    (version,) = world.versions()
    assert world.state(upload)["version"] == version
    assert [route.version for route in world.alias().routes] == [version]
    assert world.alias().history == ()


def test_different_uploads_of_one_model_at_once(world: Any, build: Callable[..., bytes]) -> None:
    uploads = [world.upload(build(number=str(i))) for i in range(4)]
    processes = [run(world, upload.key, "before", 0) for upload in uploads]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert world.versions() == [1, 2, 3, 4]
    assert {world.manifest(v).source["upload"] for v in world.versions()} == {u.id for u in uploads}
    assert [route.version for route in world.alias().routes] == [4]


def test_what_a_killed_attempt_leaves_is_swept_up_and_a_living_ones_is_not(
    world: Any, build: Callable[..., bytes]
) -> None:
    process = run(world, world.upload(build()).key, "before", 3)
    process.communicate()
    assert process.returncode == -9
    (left,) = world.scratch.iterdir()
    assert {path.name for path in left.iterdir()} >= {"model.onnx", "model.ort"}
    with scratch.folder() as mine:
        assert [str(path) for path in world.scratch.iterdir()] == [mine]
        with scratch.folder():
            assert len(list(world.scratch.iterdir())) == 2
    assert list(world.scratch.iterdir()) == []


def test_a_folder_is_not_swept_up_while_it_is_made(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock

    def late(file: Any, operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            scratch.sweep()  # as another process may in this very moment
        flock(file, operation)

    monkeypatch.setattr("fcntl.flock", late)
    with scratch.folder() as mine:
        scratch.sweep()
        assert [str(path) for path in world.scratch.iterdir()] == [mine]


def test_a_killed_function_takes_its_trial_along(
    world: Any, build: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    # Stops the trial where it reads its task, so that it is surely running when its parent is killed.
    (site / "sitecustomize.py").write_text(
        "import sys\n"
        "if sys.flags.safe_path:\n"
        "    import json, os, time\n"
        "    def load(file):\n"
        f"        open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "        time.sleep(60)\n"
        "    json.load = load\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    process = run(world, world.upload(build()).key, "before", 0)
    pid = tmp_path / "pid"
    while not pid.exists() or not pid.read_text():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while Path(f"/proc/{pid.read_text()}").exists():
        time.sleep(0.01)  # pytest's timeout ends this if the trial lives on
    scratch.sweep()
