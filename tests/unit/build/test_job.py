"""One attempt at a run: what it is told, how its worker is started, and what is made of its end."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coldpress import runs
from coldpress.errors import InvalidRequest, NotFound
from coldpress.jobs import RETRY_EXIT, events
from coldpress.runs import FAILED, QUEUED, RUNNING, STOPPED, SUCCEEDED, News, Run
from coldpress.store import Store
from coldpress.uploads import upload_of
from coldpress_build.errors import DataError
from coldpress_build.job import attempt, launch, pieces, work
from coldpress_build.job.launch import place


def environment(store: Store, run: Run, **more: str) -> dict[str, str]:
    return {"COLDPRESS_STORE": store.url, "COLDPRESS_RUN": run.id} | more


@pytest.fixture
def attempted(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """An attempt whose worker is a few lines of Python; its exit status."""

    def act(code: str, **variables: str) -> int:
        monkeypatch.setattr(attempt, "command", lambda _here, _run: [sys.executable, "-S", "-c", code])
        return attempt.attempt(environment(store, run, **variables))

    return act


# ---------------------------------------------------------------------- how it ends
def test_a_worker_that_is_done(attempted: Any, store: Store, run: Run, capfdbinary: Any) -> None:
    assert attempted("print('epoch 1'); print('done')", AWS_BATCH_JOB_ID="j", AWS_BATCH_JOB_ATTEMPT="3") == 0
    told = runs.read(store, run.id)
    assert (told.state, told.job, told.attempts, told.reason) == (SUCCEEDED, "j", 3, "")
    assert told.started <= told.ended
    assert runs.logs(store, told).text == "epoch 1\ndone\n"
    assert capfdbinary.readouterr().out == b"epoch 1\ndone\n"  # CloudWatch gets it all, too


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("raise SystemExit(3)", 3, "the worker ended with exit status 3; its log has the reason"),
        (
            "import os; os.kill(os.getpid(), 9)",
            1,
            "the worker was ended by SIGKILL; most often: out of memory",
        ),
        ("import os; os.kill(os.getpid(), 11)", 1, "the worker was ended by SIGSEGV"),
    ],
)
def test_a_worker_that_cannot_say_why(
    attempted: Any, store: Store, run: Run, code: str, status: int, reason: str
) -> None:
    assert attempted(code) == status
    told = runs.read(store, run.id)
    assert (told.state, told.reason) == (FAILED, reason)


def test_an_interrupted_worker_leaves_the_run_running(attempted: Any, store: Store, run: Run) -> None:
    assert attempted(f"raise SystemExit({RETRY_EXIT})") == RETRY_EXIT
    assert runs.read(store, run.id).state == RUNNING


UP = "import signal, sys, time; {}print('up', flush=True); time.sleep(60)"
WAITS = UP.format("signal.signal(15, lambda *_: sys.exit({})); ")


@pytest.mark.parametrize("code", [WAITS.format(75), WAITS.format(1), UP.format("")])
def test_sigterm_goes_to_the_worker_and_means_again(
    attempted: Any, store: Store, run: Run, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """Whatever the worker makes of it: torchrun, say, ends with 1."""
    monkeypatch.setattr(pieces, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(pieces, "SECONDS", 0.05)
    before = signal.getsignal(signal.SIGTERM)

    def terminate() -> None:
        while not runs.logs(store, run).text:
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate)
    thread.start()
    assert attempted(code) == RETRY_EXIT
    thread.join()
    assert runs.read(store, run.id).state == RUNNING
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stopped_run_says_so_itself(attempted: Any, store: Store, run: Run) -> None:
    runs.tell(store, run.id, News(RUNNING, job="j"))
    stop = (
        "from coldpress import runs; from coldpress.store import Store; "
        f"runs.ask_to_stop(Store({store.url!r}), {run.id!r}); raise SystemExit(75)"
    )
    assert (
        attempted(
            stop.replace("from coldpress ", f"import sys; sys.path[:0] = {sys.path!r}; from coldpress ")
        )
        == 75
    )
    assert (runs.read(store, run.id).state, runs.read(store, run.id).reason) == (
        STOPPED,
        "stopped on request",
    )


# ---------------------------------------------------------------------- what it does not begin
def no_batch() -> Any:
    raise AssertionError("nothing is asked of AWS Batch here")


def test_what_is_over_or_stopped_is_not_begun(attempted: Any, store: Store, run: Run) -> None:
    runs.tell(store, run.id, News(RUNNING, job="j"))
    runs.ask_to_stop(store, run.id)
    assert attempted("print('never')") == 1
    assert runs.read(store, run.id).state == STOPPED
    assert attempted("print('never')") == 1
    assert runs.logs(store, run).text == ""


def test_a_run_that_has_succeeded_is_not_done_again(attempted: Any, store: Store, run: Run) -> None:
    """Its machine went away between the record and the exit status, and Batch tries again."""
    runs.tell(store, run.id, News(SUCCEEDED, job="j"))
    assert attempted("print('never')", AWS_BATCH_JOB_ID="j") == 0
    assert runs.logs(store, run).text == ""


@pytest.mark.parametrize(
    ("state", "when"), [("stopped", "it waits"), ("stopped", "it is submitted"), ("failed", "never")]
)
def test_a_job_that_trained_nothing_is_no_success(
    attempted: Any, store: Store, run: Run, state: str, when: str
) -> None:
    """Its exit status is what Batch tells of, and Batch's SUCCEEDED would outrank the record's end."""
    job = {"jobName": run.id, "jobId": "j", "startedAt": 1795334401000, "stoppedAt": 1795334402000}
    event = {"source": "aws.batch", "detail-type": "Batch Job State Change"}
    if when == "it waits":  # and the request to end its job is lost
        runs.tell(store, run.id, News(QUEUED, job="j"))
    if when == "never":
        runs.tell(store, run.id, News(FAILED, reason="could not be submitted"))
    else:
        runs.ask_to_stop(store, run.id)
    status = attempted("print('never')", AWS_BATCH_JOB_ID="j")
    events.handle(event | {"detail": job | {"status": "FAILED" if status else "SUCCEEDED"}}, store, no_batch)
    assert runs.read(store, run.id).state == state
    assert status not in (0, RETRY_EXIT)


def test_a_second_job_of_one_run_ends(attempted: Any, store: Store, run: Run) -> None:
    runs.tell(store, run.id, News(RUNNING, job="first"))
    assert attempted("print('never')", AWS_BATCH_JOB_ID="second") == 1
    told = runs.read(store, run.id)
    assert (told.state, told.job) == (RUNNING, "first")
    assert runs.logs(store, run).text == ""


def test_a_run_that_is_not_there(attempted: Any) -> None:
    with pytest.raises(NotFound, match="there is no run 'other'"):
        attempted("", COLDPRESS_RUN="other")


def test_other_nodes_leave_the_record_alone(attempted: Any, store: Store, run: Run) -> None:
    node = {"AWS_BATCH_JOB_NUM_NODES": "2", "AWS_BATCH_JOB_NODE_INDEX": "1", "AWS_BATCH_JOB_ID": "j#1"}
    assert attempted("print('node 1'); raise SystemExit(1)", **node) == 1
    assert runs.read(store, run.id) == run
    assert runs.logs(store, run).text == ""


# ---------------------------------------------------------------------- where it is
def test_one_process_is_plain_python(store: Store, run: Run) -> None:
    here = place(environment(store, run))
    assert launch.command(here, run) == [sys.executable, "-m", "coldpress_build.job.work"]


def test_many_nodes_and_gpus_are_torchruns(store: Store, run: Run) -> None:
    batch = {
        "AWS_BATCH_JOB_ID": "j#1", "AWS_BATCH_JOB_ATTEMPT": "2", "AWS_BATCH_JOB_NUM_NODES": "2",
        "AWS_BATCH_JOB_NODE_INDEX": "1", "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0",
        "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": "10.0.0.7", "NVIDIA_VISIBLE_DEVICES": "GPU-a,GPU-b",
    }  # fmt: skip
    here = place(environment(store, run, **batch))
    assert (here.job, here.attempt, here.is_main) == ("j", 2, False)
    words = launch.command(here, run)
    assert words[1:3] == ["-m", "torch.distributed.run"]
    assert words[3:] == [
        "--nnodes=2", "--nproc-per-node=2", "--node-rank=1", "--master-addr=10.0.0.7", "--master-port=29500",
        "-m", "coldpress_build.job.work",
    ]  # fmt: skip
    eight = launch.command(here, run._replace(gpus=8))
    assert "--nproc-per-node=8" in eight


def test_the_main_node_is_its_own_address(store: Store, run: Run) -> None:
    here = place(environment(store, run, AWS_BATCH_JOB_NUM_NODES="2"))
    (address,) = (word for word in launch.command(here, run) if word.startswith("--master-addr="))
    assert address.partition("=")[2].count(".") == 3


@pytest.mark.parametrize("visible", ["", "all", "none", "void"])
def test_an_unknown_number_of_gpus_is_one_process(store: Store, run: Run, visible: str) -> None:
    assert len(launch.command(place(environment(store, run, NVIDIA_VISIBLE_DEVICES=visible)), run)) == 3


@pytest.mark.parametrize("missing", ["COLDPRESS_RUN", "COLDPRESS_STORE"])
def test_an_environment_that_says_nothing(store: Store, run: Run, missing: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{missing} is not set"):
        place(environment(store, run) | {missing: ""})


# ---------------------------------------------------------------------- its data, its results
def test_data_is_fetched_as_it_was_stored(store: Store, tmp_path: Path) -> None:
    store.create("datasets/d/1/rows.csv", b"a,b\n")
    for name in ("cat/1.png", "dog/2.png", "train.json"):
        store.create(f"datasets/i/{name}", name.encode())
    store.create("datasets/one/rows.csv", b"x\n")
    store.create("datasets/one/train.json", b"{}")
    assert Path(str(work.fetched(store, "datasets/d/1/rows.csv", tmp_path / "1"))).read_bytes() == b"a,b\n"
    folder = Path(str(work.fetched(store, "datasets/i/", tmp_path / "2")))
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == [
        "cat/1.png",
        "dog/2.png",
    ]
    # One file beside its order is that file.
    assert Path(str(work.fetched(store, "datasets/one/", tmp_path / "3"))).name == "rows.csv"
    assert work.fetched(store, "iris", tmp_path) == "iris"
    assert work.fetched(store, "", tmp_path) is None
    with pytest.raises(DataError, match="there is nothing at datasets/none/"):
        work.fetched(store, "datasets/none/", tmp_path / "4")


def test_publishing_twice_is_one_upload(store: Store, run: Run) -> None:
    ordered = runs.change(store, run.id, lambda run: run._replace(publish="mood", metrics={"accuracy": 1.0}))
    store.create(f"{run.folder}model.onnx", b"a model")
    for _ in range(2):
        # Its results are stored: only the rest is done.
        assert work.work(environment(store, ordered)) == 0
    (model,) = (info.key for info in store.walk("incoming/mood") if info.key.endswith(".onnx"))
    assert store.get(model).data == b"a model"
    upload = runs.read(store, run.id).upload
    assert model == f"incoming/mood/{upload.removeprefix('mood.')}/model.onnx"


def test_what_was_pressed_is_published_with_its_original_behind_it(store: Store, run: Run) -> None:
    from coldpress_build import pipeline
    from coldpress_build.press.candidates import BASELINE

    assert (work.UNPRESSED, work.MODEL, work.ORIGINAL) == (BASELINE, pipeline.MODEL, pipeline.ORIGINAL)
    pressed = {"winner": "int8-static"}
    ordered = runs.change(store, run.id, lambda run: run._replace(publish="mood", metrics=pressed))
    for name in ("model.onnx", "model.fp32.onnx"):
        store.create(ordered.folder + name, name.encode())
    assert work.work(environment(store, ordered)) == 0
    uploaded = {info.key.rsplit("/", 1)[1]: info.key for info in store.walk("incoming/mood")}
    found = {name: upload_of(store, key) for name, key in uploaded.items() if name.endswith(".onnx")}
    aliases = {name: upload.alias for name, upload in found.items()}
    assert aliases == {"model.onnx": "prod", "model.fp32.onnx": None}
    assert runs.read(store, run.id).upload == found["model.onnx"].id


def test_checkpoints_go_when_the_results_are_there(store: Store, run: Run) -> None:
    runs.change(store, run.id, lambda run: run._replace(metrics={"accuracy": 1.0}))
    store.create(f"{run.folder}checkpoints/0/1.pt", b"")
    store.create(f"{run.folder}model.onnx", b"")
    assert work.work(environment(store, run)) == 0
    assert sorted(info.key for info in store.walk(run.folder)) == [
        f"{run.folder}model.onnx",
        f"{run.folder}run.json",
    ]


def test_a_worker_says_why_it_failed(store: Store, run: Run, tmp_path: Path, capsys: Any) -> None:
    runs.change(store, run.id, lambda run: run._replace(data="datasets/none/"))
    note = tmp_path / "reason"
    for _ in range(2):  # of several processes, the first one's words count
        assert work.work(environment(store, run, COLDPRESS_REASON=str(note))) == 1
    assert note.read_text().startswith("there is nothing at datasets/none/ ")
    assert capsys.readouterr().err == f"error: {note.read_text()}\n" * 2


def test_the_reason_is_told_when_the_log_is_whole(attempted: Any, store: Store, run: Run) -> None:
    said = (
        "import os; print('last words'); open(os.environ['COLDPRESS_REASON'], 'w').write('no rows'); exit(1)"
    )
    assert attempted(said.replace("exit", "raise SystemExit")) == 1
    told = runs.read(store, run.id)
    assert (told.state, told.reason) == (FAILED, "no rows")
    assert runs.logs(store, told).text == "last words\n"


def test_another_nodes_reason_counts_too(attempted: Any, store: Store, run: Run) -> None:
    node = {"AWS_BATCH_JOB_NUM_NODES": "2", "AWS_BATCH_JOB_NODE_INDEX": "1"}
    said = "import os; open(os.environ['COLDPRESS_REASON'], 'w').write('no GPU'); raise SystemExit(1)"
    assert attempted(said, **node) == 1
    assert runs.read(store, run.id).reason == "no GPU"
