"""What AWS tells the train function, as literals of its documentation's form."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coldpress import runs
from coldpress.errors import Conflict, InvalidRequest, NotFound, Unavailable
from coldpress.jobs import events, start
from coldpress.jobs.batch import priority
from coldpress.runs import Run
from coldpress.store import Store

JOB = "4c7599ae-0a82-49aa-ba5a-4727fcce14a8"


def event(run: Run, status: str, **more: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "c8f9c4b5-76e5-d76a-f980-7011e206042b",
        "detail-type": "Batch Job State Change",
        "source": "aws.batch",
        "account": "123456789012",
        "time": "2026-11-22T08:00:00Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:batch:eu-central-1:123456789012:job/{JOB}"],
        "detail": {
            "jobArn": f"arn:aws:batch:eu-central-1:123456789012:job/{JOB}",
            "jobName": run.id,
            "jobId": JOB,
            "jobQueue": "arn:aws:batch:eu-central-1:123456789012:job-queue/coldpress-dev",
            "status": status,
            "attempts": [],
            "createdAt": 1795334400000,
            "retryStrategy": {"attempts": 10, "evaluateOnExit": []},
            "dependsOn": [],
            "container": {
                "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/coldpress:0.1.0",
                "exitCode": 1,
            },
        }
        | more,
    }


LOST = {
    "container": {"exitCode": 137, "logStreamName": "job/default/1"},
    "startedAt": 1795334401000,
    "stoppedAt": 1795334402000,
    "statusReason": "Host EC2 (instance i-1) terminated.",
}


class Queue:
    """What a Batch is asked for."""

    def __init__(self) -> None:
        self.submitted: list[Run] = []

    def submit(self, run: Run) -> str:
        self.submitted.append(run)
        return f"job-{len(self.submitted)}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/objects")


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def handle(store: Store, queue: Queue) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda event: events.handle(event, store, lambda: queue)  # type: ignore[arg-type, return-value]


@pytest.fixture
def run(store: Store) -> Run:
    return runs.create(store, runs.order("text-classifier"))


# ---------------------------------------------------------------------- jobs
def test_every_order_of_a_jobs_events_gives_the_same_record(store: Store, handle: Any) -> None:
    found = set()
    for order in itertools.permutations(range(5)):
        run = runs.create(store, runs.order("r")._replace(id=f"r-20261122-080000-{order}", created=""))
        told = [
            event(run, "SUBMITTED"),
            event(run, "RUNNING", startedAt=1795334401000),
            event(run, "RUNNABLE", attempts=[LOST]),
            event(run, "RUNNING", attempts=[LOST], startedAt=1795334403000),
            event(run, "SUCCEEDED", attempts=[LOST], startedAt=1795334403000, stoppedAt=1795334409000),
        ]
        for number in order:
            handle(told[number])
        found.add(repr(runs.read(store, run.id)._replace(id="")))
    assert len(found) == 1
    assert "state='succeeded'" in found.pop()
    last = runs.read(store, run.id)
    assert (last.started, last.ended) == ("2026-11-22T08:00:01.000+00:00", "2026-11-22T08:00:09.000+00:00")
    assert (last.attempts, last.job, last.image[-5:]) == (2, JOB, "0.1.0")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"statusReason": "Essential container in task exited"},
            "Essential container in task exited; exit status 1",
        ),
        (
            {
                "statusReason": "Essential container in task exited",
                "container": {
                    "exitCode": 137,
                    "reason": "OutOfMemoryError: Container killed due to memory usage",
                },
            },
            "Essential container in task exited; OutOfMemoryError: Container killed due to memory usage; "
            "exit status 137",
        ),
        (
            {"statusReason": "CannotPullContainerError: no such tag", "container": {}},
            "CannotPullContainerError: no such tag",
        ),
        ({"container": {}}, "AWS Batch gave no reason"),
        ({"statusReason": "Host EC2 (instance i-1) terminated."}, "Host EC2 (instance i-1) terminated."),
    ],
)
def test_why_a_job_failed(store: Store, run: Run, handle: Any, more: dict[str, Any], reason: str) -> None:
    handle(event(run, "FAILED", stoppedAt=1795334409000, **more))
    told = runs.read(store, run.id)
    assert (told.state, told.reason) == ("failed", reason)


def test_another_job_of_the_same_run_counts_for_nothing(store: Store, run: Run, handle: Any) -> None:
    handle(event(run, "RUNNING", startedAt=1795334401000))
    before = runs.read(store, run.id)
    handle(event(run, "FAILED", jobId="another"))
    assert runs.read(store, run.id) == before


def test_what_is_nobodys_run_is_ignored(run: Run, handle: Any) -> None:
    assert handle(event(run, "RUNNING", jobName="somebody-elses"))["ignored"] == "no such run"
    assert handle(event(run, "FAILED", jobId=f"{JOB}#1"))["ignored"] == "a node's event"


def test_an_unknown_status_and_an_unknown_event_are_told_of(run: Run, handle: Any) -> None:
    with pytest.raises(InvalidRequest, match="'SLEEPING' is no status"):
        handle(event(run, "SLEEPING"))
    with pytest.raises(InvalidRequest, match="not an event that starts or follows a run"):
        handle({"source": "aws.ec2"})


# ---------------------------------------------------------------------- orders
def put(key: str) -> dict[str, Any]:
    detail = {"bucket": {"name": "b"}, "object": {"key": key, "size": 1, "etag": "e", "sequencer": "1"}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


ORDER = {"recipe": "tabular-mlp", "settings": {"epochs": 3}, "data": "rows.csv", "publish": "m", "minutes": 5}
KEY = "datasets/films/train.json"


def test_an_order_beside_its_data_starts_one_run(store: Store, queue: Queue, handle: Any) -> None:
    store.create(KEY, json.dumps(ORDER).encode())
    first, second = handle(put(KEY)), handle(put(KEY))
    assert first == second
    (sent,) = queue.submitted
    run = runs.read(store, first["run"])
    assert sent == run._replace(job="")
    assert (run.recipe, run.settings, run.data) == ("tabular-mlp", {"epochs": "3"}, "datasets/films/rows.csv")
    assert (run.publish, run.minutes, run.job, run.state) == ("m", 5, "job-1", "queued")
    # Put again, it is another order.
    store.overwrite(KEY, json.dumps(ORDER | {"minutes": 6}).encode())
    assert handle(put(KEY))["run"] != run.id
    assert len(queue.submitted) == 2


def test_an_order_whose_job_was_never_submitted_is_submitted(store: Store, queue: Queue, handle: Any) -> None:
    store.create(KEY, b'{"recipe": "r"}')
    run_id = handle(put(KEY))["run"]
    runs.change(store, run_id, lambda run: run._replace(job=""))  # as if the function had died before it knew
    assert handle(put(KEY))["run"] == run_id
    assert [run.id for run in queue.submitted] == [run_id, run_id]
    assert runs.read(store, run_id).job == "job-2"


def test_an_order_without_data_is_about_the_folder(store: Store, queue: Queue, handle: Any) -> None:
    store.create("datasets/cats/2026/train.json", b'{"recipe": "image-cnn"}')
    handle(put("datasets/cats/2026/train.json"))
    assert queue.submitted[0].data == "datasets/cats/2026/"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (b"no json", "is not JSON"),
        (b"[]", "names no recipe"),
        (b'{"recipe": "r", "image": "x"}', "there is no 'image'"),
        (b'{"recipe": "r", "nodes": true}', "nodes is True, which is no int"),
        (b'{"recipe": "r", "nodes": 0}', "nodes=0 must be from 1 to 64"),
        (b'{"recipe": "r", "data": "../keys/"}', "is no data"),
        (b'{"recipe": "r", "settings": {"a": "\\ud800"}}', "has half a surrogate pair in it"),
        (b'{"recipe": "\\ud800"}', "cannot name a recipe"),
        (b'{"recipe": "r", "\\ud800": 1}', "there is no '\\ud800'"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"recipe": "r", "settings": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "is nested too"),
    ],
)
def test_what_is_no_order_is_refused_beside_it(
    store: Store, queue: Queue, handle: Any, words: bytes, reason: str
) -> None:
    store.create(KEY, words)
    assert reason in handle(put(KEY))["rejected"]
    assert reason in store.get(f"{KEY}.rejected").data.decode()
    assert queue.submitted == []
    assert runs.ids(store) == []


def test_what_is_not_there_or_no_order_starts_nothing(queue: Queue, handle: Any) -> None:
    assert handle(put(KEY))["run"] is None
    for key in ("datasets/train.json", "datasets/films/rows.csv", "models/m/train.json"):
        assert "ignored" in handle(put(key))
    assert queue.submitted == []


class Down:
    def submit(self, _run: Run) -> str:
        raise Unavailable("AWS Batch: no answer")


def test_an_order_that_the_queue_does_not_take_is_tried_again(
    store: Store, queue: Queue, handle: Any
) -> None:
    store.create(KEY, b'{"recipe": "r"}')
    with pytest.raises(Unavailable):
        events.handle(put(KEY), store, Down)  # type: ignore[arg-type]
    (run_id,) = runs.ids(store)
    assert runs.read(store, run_id).state == "queued"
    assert handle(put(KEY))["run"] == run_id
    assert [run.id for run in queue.submitted] == [run_id]


def test_somebody_who_waits_is_told_that_the_queue_does_not_take_it(store: Store) -> None:
    ordered = runs.order("r")
    with pytest.raises(Unavailable):
        start.start(store, ordered, Down())  # type: ignore[arg-type]
    told = runs.read(store, ordered.id)
    assert (told.state, told.reason) == ("failed", "could not be submitted: AWS Batch: no answer")


@pytest.mark.parametrize("trouble", [Unavailable("SlowDown"), Conflict("changed by others 20 times")])
def test_a_record_that_cannot_be_told_of_its_job_is_no_failed_submission(
    store: Store, queue: Queue, handle: Any, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def tell(*_: Any) -> Run:
        raise trouble

    ordered = runs.order("r")
    store.create(KEY, b'{"recipe": "r"}')
    with monkeypatch.context() as patch:
        patch.setattr(runs, "tell", tell)
        assert start.start(store, ordered, queue).job == "job-1"  # type: ignore[arg-type]
        from_file = handle(put(KEY))["run"]
    assert len(queue.submitted) == 2
    # The job's own events tell the record what nobody could before.
    handle(event(ordered, "SUBMITTED", jobId="job-1"))
    for run_id, job in ((ordered.id, "job-1"), (from_file, "")):
        told = runs.read(store, run_id)
        assert (told.state, told.reason, told.job) == ("queued", "", job)


def test_stopping_what_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        start.stop(store, "nothing", Queue)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- time
def test_how_long_runs_wait(store: Store, capsys: Any) -> None:
    day = 1_795_334_400.0
    for age, state in (
        (90, "queued"),
        (30, "queued"),
        (200, "running"),
        (500, "succeeded"),
        (60 * 24 * 20, "queued"),
    ):
        began = day - age * 60
        run = runs.order("r")._replace(
            id=runs.new_id("r", began, f"{age:08d}"), created=runs.instant(int(began * 1000)), state=state
        )
        runs.create(store, run)
    store.create("runs/r-20261122-070000-by-hand/notes", b"")
    said = events.measure(store, day)
    assert (said["QueuedRuns"], said["QueuedMinutes"]) == (2, 90.0)
    assert json.loads(capsys.readouterr().out) == said
    assert said["_aws"] == {
        "Timestamp": 1795334400000,
        "CloudWatchMetrics": [
            {
                "Namespace": "Coldpress",
                "Dimensions": [["service"]],
                "Metrics": [
                    {"Name": "QueuedRuns", "Unit": "Count"},
                    {"Name": "QueuedMinutes", "Unit": "None"},
                ],
            }
        ],
    }


def test_nothing_waits(store: Store) -> None:
    assert events.measure(store, 0.0)["QueuedMinutes"] == 0.0


def test_the_shortest_expected_goes_first() -> None:
    assert [priority(minutes) for minutes in (1, 60, 0, 1440, 40_000)] == [9998, 9939, 8559, 8559, 0]
