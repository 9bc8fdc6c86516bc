"""The worker of a job: the record's data -> training, export, press, report -> `runs/{id}/…` -> upload."""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from coldpress import runs
from coldpress.errors import ColdpressError
from coldpress.jobs import RETRY_EXIT
from coldpress.jobs.start import ORDER_FILE
from coldpress.runs import DATASETS, Run
from coldpress.store import Store
from coldpress.uploads import Upload, new_upload
from coldpress_build.errors import DataError
from coldpress_build.job.launch import REASON_VARIABLE, place
from coldpress_build.training.stopping import interruptible

MODEL, ORIGINAL = "model.onnx", "model.fp32.onnx"
UNPRESSED = "fp32"
"""What the press calls the model that it was given."""
FAILURE = 1


def work(environment: Mapping[str, str]) -> int:
    """Does the run; the exit status: 0 done, `RETRY_EXIT` interrupted, else failed."""
    here = place(environment)
    store = Store(here.store)
    run = runs.read(store, here.run)
    try:
        with interruptible("the next attempt, if there is one, goes on"):
            if not run.metrics:
                _train(store, run)
            if _is_first(environment):
                _finish(store, run)
    except ColdpressError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201
        status: int = getattr(error, "exit_status", FAILURE)
        if status != RETRY_EXIT:
            _explain(str(error), environment)
        return status
    return 0


def _explain(reason: str, environment: Mapping[str, str]) -> None:
    """Leaves the reason to the attempt; of several processes, the first one's."""
    with contextlib.suppress(FileExistsError), open(environment[REASON_VARIABLE], "x") as file:  # noqa: PTH123
        file.write(reason)


def _train(store: Store, run: Run) -> None:
    with tempfile.TemporaryDirectory(prefix="coldpress-run-") as scratch:
        _train_on(fetched(store, run.data, Path(scratch, "data")), store, run, Path(scratch, "out"))


def _train_on(source: str | None, store: Store, run: Run, out: Path) -> None:
    # Seconds of imports: not for a run that has only to be published, nor for data that is not there.
    from coldpress_build import pipeline
    from coldpress_build.checkpoints import Checkpoints
    from coldpress_build.config import override
    from coldpress_build.recipes import find

    config = override(find(run.recipe).config, [f"{key}={value}" for key, value in run.settings.items()])
    # An earlier attempt's, if there was one: this one goes on from there.
    kept = Checkpoints(store.url, f"{run.folder}checkpoints")
    result = pipeline.run(run.recipe, config, out, data=source, checkpoints=kept)
    if _is_first(os.environ):
        _keep(store, run, result.folder)


def _keep(store: Store, run: Run, folder: Path) -> None:
    """Stores the results; the record has figures only when all of them are there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            store.upload(f"{run.folder}{path.relative_to(folder).as_posix()}", str(path))
    metrics = json.loads((folder / "metrics.json").read_text())
    runs.change(store, run.id, lambda run: run._replace(metrics=metrics))


def _finish(store: Store, run: Run) -> None:
    if run.publish:
        publish(store, run)
    # Only now: until here, another attempt could need them.
    for info in list(store.walk(f"{run.folder}checkpoints")):
        store.delete(info.key)


def publish(store: Store, run: Run) -> None:
    """Uploads the stored model as anybody would, and what the press made it of as a version beside it that no
    alias points at: the way back. Done twice, it is still one upload of each."""
    if run.metrics.get("winner", UNPRESSED) != UNPRESSED:
        _upload(store, run, ORIGINAL, None)
    upload = _upload(store, run, MODEL, run.alias)
    runs.change(store, run.id, lambda run: run._replace(upload=upload.id))
    print(f"uploaded as {upload.id}", flush=True)  # noqa: T201


def _upload(store: Store, run: Run, name: str, alias: str | None) -> Upload:
    token = hashlib.sha256(f"{run.id}/{name}".encode()).hexdigest()[:24]
    upload = new_upload(store, run.publish, name, alias, token)
    with tempfile.TemporaryDirectory(prefix="coldpress-publish-") as scratch:
        model = str(Path(scratch, name))
        store.download(run.folder + name, model)
        store.upload(upload.key, model)
    return upload


def fetched(store: Store, data: str, folder: Path) -> str | None:
    """What the recipe reads: a file or folder on this machine, a packaged set's name, or None for its own.

    Raises:
        DataError: there is nothing at that key.
    """
    if not data.startswith(DATASETS):
        return data or None
    if not data.endswith("/"):
        return str(_downloaded(store, data, folder / data.rsplit("/", 1)[1]))
    keys = [info.key for info in store.walk(data) if not info.key.endswith(f"/{ORDER_FILE}")]
    if not keys:
        raise DataError(f"there is nothing at {data} in the store; upload the data before the run")
    paths = [_downloaded(store, key, folder / key.removeprefix(data)) for key in keys]
    return str(paths[0] if len(paths) == 1 else folder)


def _downloaded(store: Store, key: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    store.download(key, str(path))
    return path


def _is_first(environment: Mapping[str, str]) -> bool:
    """Whether this process speaks for all of torchrun's."""
    return environment.get("RANK", "0") == "0"


if __name__ == "__main__":
    sys.exit(work(os.environ))
