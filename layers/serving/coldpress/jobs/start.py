"""An order becomes a record and a job; a record's job is stopped."""

import json
from collections.abc import Callable

from coldpress import runs
from coldpress.errors import ColdpressError, Conflict, InvalidRequest, NotFound, Unavailable
from coldpress.jobs.batch import Batch
from coldpress.runs import DATASETS, News, Run
from coldpress.store import Store
from coldpress.typed import Any

ORDER_FILE = "train.json"
FIELDS = {
    "recipe": str,
    "settings": dict,
    "data": str,
    "publish": str,
    "nodes": int,
    "gpus": int,
    "minutes": int,
    "share": str,
}


def start(store: Store, run: Run, batch: Batch) -> Run:
    """Stores the record, then submits the job: a job without a record would have nothing to do.

    Raises:
        Conflict: there is a run with this id.
        Unavailable: AWS Batch did not take it; the record says so.
    """
    runs.create(store, run)
    try:
        job = batch.submit(run)
    except ColdpressError as error:
        runs.tell(store, run.id, News(runs.FAILED, runs.now(), reason=f"could not be submitted: {error}"))
        raise
    return _noted(store, run, job)


def stop(store: Store, run_id: str, batch: Callable[[], Batch]) -> Run:
    """Ends a run: one that waits at once, one that runs within 30 s, with a checkpoint.

    Raises:
        NotFound: no such run.
        Conflict: it is over already.
    """
    run = runs.ask_to_stop(store, run_id)
    if run.job and not run.is_over:
        batch().terminate(run.job, "stopped on request")
    return run


def start_from_file(store: Store, key: str, batch: Batch) -> Run | None:
    """The run that `datasets/{name}/train.json` orders; None when there is no such file any more.

    The same file starts one run, however often it is told of: the run's id is made of its contents. `data` in
    it is a file or folder beside it.

    Raises:
        InvalidRequest: the file is no order.
        Unavailable: AWS Batch did not take it; the event comes again.
    """
    try:
        info, blob = store.head(key), store.get(key)
    except NotFound:
        return None
    run = _ordered(key, blob.data)
    # What was put again at another time is another order, even with the same words in it.
    token = "".join(c for c in info.etag if c.isalnum())[:16].lower() or "0"
    run = run._replace(id=runs.new_id(run.recipe, info.modified, token))
    try:
        runs.create(store, run)
    except Conflict:
        run = runs.read(store, run.id)
        if run.job or run.is_over:
            return run
        # Whoever stored it did not come to submit it. If it did, the second job sees that and ends.
    return _noted(store, run, batch.submit(run))


def _noted(store: Store, run: Run, job: str) -> Run:
    """The run with its job, which is in the queue whatever becomes of this note."""
    try:
        return runs.tell(store, run.id, News(runs.QUEUED, job=job))
    except (Conflict, Unavailable):
        # Not a failure of the run: the job itself and Batch's events tell the record of the job, too.
        return run._replace(job=job)


def _ordered(key: str, data: bytes) -> Run:
    try:
        return _read(key, data)
    except RecursionError:  # reading it, or writing down what it says
        raise InvalidRequest(f"{key} is nested too deeply; settings are words, numbers or lists") from None


def _read(key: str, data: bytes) -> Run:
    folder = key.removesuffix(ORDER_FILE)
    try:
        wanted: Any = json.loads(data)
    except ValueError as error:
        raise InvalidRequest(f"{key} is not JSON: {error}") from None
    if not isinstance(wanted, dict) or "recipe" not in wanted:
        raise InvalidRequest(f'{key} names no recipe; a good one is {{"recipe": "text-classifier"}}')
    for name, value in wanted.items():
        if name not in FIELDS:
            raise InvalidRequest(f"{key}: there is no {name!r:.80}; there are {', '.join(FIELDS)}")
        if type(value) is not FIELDS[name]:
            raise InvalidRequest(f"{key}: {name} is {value!r:.80}, which is no {FIELDS[name].__name__}")
    settings = {name: str(value) for name, value in wanted.pop("settings", {}).items()}
    # Beside it, not anywhere: who may write this data set need not be who may read others.
    data_key = folder + wanted.pop("data", "").lstrip("/")
    if not folder.startswith(DATASETS):
        raise InvalidRequest(f"{key} is not below {DATASETS}")
    return runs.order(settings=settings, data=data_key, **wanted)
