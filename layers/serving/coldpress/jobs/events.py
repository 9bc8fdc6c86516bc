"""What AWS tells the train function: a job's state, a data set that is complete, and that time has passed.

https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html
"""

import json
import time
from collections.abc import Callable
from functools import partial

from coldpress import runs
from coldpress.errors import InvalidRequest, NotFound
from coldpress.jobs.batch import Batch
from coldpress.jobs.start import ORDER_FILE, start_from_file
from coldpress.runs import FAILED, QUEUED, RUNNING, SUCCEEDED, News, Run
from coldpress.store import Store
from coldpress.typed import Any

STATES = {
    **dict.fromkeys(("SUBMITTED", "PENDING", "RUNNABLE", "STARTING"), QUEUED),
    "RUNNING": RUNNING,
    "SUCCEEDED": SUCCEEDED,
    "FAILED": FAILED,
}
LOOK_BACK_DAYS = 14
"""A run that has waited for longer has been told of often enough."""


def handle(event: dict[str, Any], store: Store, batch: Callable[[], Batch]) -> dict[str, Any]:
    """Does what an event of EventBridge asks for; what was done, for the log.

    Raises:
        ColdpressError: it could not be done now; Lambda tries again, then keeps the event as a dead letter.
    """
    match event.get("source"), event.get("detail-type"):
        case "aws.batch", "Batch Job State Change":
            return _job(event["detail"], store)
        case "aws.s3", "Object Created":
            return _order(event["detail"]["object"]["key"], store, batch)
        case "aws.events", "Scheduled Event":
            return measure(store, time.time())
    raise InvalidRequest(f"not an event that starts or follows a run: {event!r:.200}")


def _job(detail: dict[str, Any], store: Store) -> dict[str, Any]:
    run_id, job = str(detail["jobName"]), str(detail["jobId"])
    said = {"run": run_id, "job": job, "status": detail["status"]}
    if "#" in job:  # one node of many; the job's own events tell how all of it ends
        return _printed(said | {"ignored": "a node's event"})
    try:
        # A second job of one run (an order that was told of twice) ends by itself, and counts for nothing.
        for news in told(detail):
            run = runs.change(store, run_id, partial(_merged, news))
    except NotFound:
        return _printed(said | {"ignored": "no such run"})
    return _printed(said | {"state": run.state})


def _merged(news: News, run: Run) -> Run:
    return runs.merged(run, news) if run.job in ("", news.job) else run


def told(detail: dict[str, Any]) -> list[News]:
    """What a job's event says of its run. Raises `InvalidRequest` for a status that Batch does not have."""
    if detail["status"] not in STATES:
        raise InvalidRequest(f"{detail['status']!r} is no status of a Batch job")
    state = STATES[detail["status"]]
    past, container = detail.get("attempts", []), detail.get("container", {})
    common = {"job": detail["jobId"], "image": container.get("image", "")}
    news = [News(QUEUED, attempts=len(past), **common)]
    if detail.get("startedAt"):
        now_running = len(past) + (state == RUNNING)
        news.append(News(RUNNING, runs.instant(detail["startedAt"]), attempts=now_running, **common))
    if state in runs.ENDS:
        ended = runs.instant(detail["stoppedAt"]) if detail.get("stoppedAt") else runs.now()
        news.append(News(state, ended, reason=_reason(detail) if state == FAILED else "", **common))
    return news


def _reason(detail: dict[str, Any]) -> str:
    """Batch's own words, the container's, and how it ended."""
    last = detail.get("attempts", [])[-1:] or [{}]
    container = last[0].get("container", {}) | detail.get("container", {})
    words = [detail.get("statusReason", ""), container.get("reason", "")]
    # Of a job that was ended from outside, it says nothing more.
    if "exitCode" in container and words[0].startswith("Essential container"):
        words.append(f"exit status {container['exitCode']}")
    return "; ".join(dict.fromkeys(word for word in words if word)) or "AWS Batch gave no reason"


def _order(key: str, store: Store, batch: Callable[[], Batch]) -> dict[str, Any]:
    folder = key.removeprefix(runs.DATASETS).removesuffix(ORDER_FILE)
    if not key.startswith(runs.DATASETS) or not key.endswith(ORDER_FILE) or "/" not in folder:
        return _printed({"key": key, "ignored": f"not {runs.DATASETS}NAME/{ORDER_FILE}"})
    try:
        run = start_from_file(store, key, batch())
    except InvalidRequest as error:
        # Trying again would not make it better: its sender finds the reason beside the file.
        store.overwrite(f"{key}.rejected", str(error).encode())
        return _printed({"key": key, "rejected": str(error)})
    return _printed({"key": key, "run": run.id if run else None})


def measure(store: Store, now: float) -> dict[str, Any]:
    """Prints how many runs wait, and for how long the first of them has, as CloudWatch's metrics (EMF)."""
    first = runs.new_id("", now - LOOK_BACK_DAYS * 86_400).rsplit("-", 3)[1:]
    recent = [run_id for run_id in runs.ids(store) if run_id.rsplit("-", 3)[1:] >= first]
    waiting = [run for run in map(_known(store), recent) if run and run.state == QUEUED]
    # Times of one form and one zone compare as text.
    oldest = min((run.created for run in waiting), default="")
    minutes = (now - _epoch(oldest)) / 60 if oldest else 0.0
    values = {"QueuedRuns": len(waiting), "QueuedMinutes": round(max(minutes, 0.0), 1)}
    units = [{"Name": "QueuedRuns", "Unit": "Count"}, {"Name": "QueuedMinutes", "Unit": "None"}]
    group = {"Namespace": "Coldpress", "Dimensions": [["service"]], "Metrics": units}
    about = {"Timestamp": int(now * 1000), "CloudWatchMetrics": [group]}
    return _printed({"_aws": about, "service": "coldpress-train"} | values)


def _known(store: Store) -> Callable[[str], Run | None]:
    def read(run_id: str) -> Run | None:
        try:
            return runs.read(store, run_id)
        except NotFound:  # a folder without a record: not ours
            return None

    return read


def _epoch(instant: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(instant).timestamp()


def _printed(said: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(said), flush=True)  # noqa: T201 - the function's log
    return said
