"""`/runs`: training runs, started as GPU jobs where the deployment has a training stack."""

from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from coldpress import runs
from coldpress.errors import Conflict, NotFound
from coldpress.jobs.batch import Batch
from coldpress.jobs.start import start, stop
from coldpress.registry import DEFAULT_ALIAS
from control.deployment import Deployment, Here
from control.failures import documented
from control.parallel import side_by_side
from control.schemas import NAMED, Record
from control.security import Admin, Reader
from control.telemetry import logger

router = APIRouter(prefix="/runs", tags=["runs"])

NO_TRAINING = (
    "this deployment has no training stack: deploy it with Training=batch (docs/jobs.md), or train on a "
    "machine of yours: coldpress train RECIPE --on local"
)
LIMIT = 1000
RunId = Annotated[str, Path(description="The run.", examples=["text-classifier-20261122-080000-1a2b3c4d"])]


def _whole(value: Any) -> Any:
    # To JSON Schema, 3.0 is an integer; "3" is none.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
DATA: dict[str, Any] = {
    "anyOf": [{"pattern": "^[^/]*$"}, {"pattern": f"^{runs.DATASETS}"}],
    "not": {"pattern": r"\.\."},
}
Text = Annotated[str, Field(max_length=runs.MAX_TEXT)]


class Order(BaseModel):
    """What is to be trained."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"recipe": "text-classifier", "settings": {"epochs": "10"}}]},
    )
    recipe: str = Field(description="Such as text-classifier.", json_schema_extra=NAMED)
    settings: dict[Text, Text] = Field({}, max_length=runs.MAX_SETTINGS, description="The recipe's settings.")
    data: Text = Field(
        "",
        description="A key or (ending in /) a folder below `datasets/`, or a packaged set's name; "
        "empty: the recipe's own.",
        json_schema_extra=DATA,
    )
    publish: str | None = Field(
        None,
        min_length=1,
        description="The model that the result becomes a version of; null: none.",
        json_schema_extra=NAMED,
    )
    alias: str | None = Field(
        DEFAULT_ALIAS, description="Points at that version; null: no alias moves.", json_schema_extra=NAMED
    )
    nodes: Whole = Field(1, ge=1, le=runs.MAX_NODES, strict=True, description="Machines.")
    gpus: Whole = Field(
        0, ge=0, le=runs.MAX_GPUS, strict=True, description="Of each machine; 0: the stack's number."
    )
    minutes: Whole = Field(
        0,
        ge=0,
        le=runs.MAX_MINUTES,
        strict=True,
        description="Expected; the shortest starts first. 0: unknown.",
    )
    share: str = Field("default", pattern="^[A-Za-z0-9]{1,63}$", description="Shares get equal parts.")


class Run(Record):
    """A training run. It moves forward only: queued, running, then one of the three ends."""

    id: str
    recipe: str
    settings: dict[str, str]
    data: str
    publish: str
    alias: str | None
    on: Literal["batch", "local"]
    nodes: int
    gpus: int
    minutes: int
    share: str
    state: Literal["queued", "running", "failed", "stopped", "succeeded"]
    reason: str = Field(description="Why it failed or was stopped.")
    stop: bool = Field(description="Whether somebody asked it to end.")
    created: str = Field(description="ISO 8601, UTC; as `started` and `ended`, empty until known.")
    started: str
    ended: str
    job: str = Field(description="AWS Batch's id.")
    attempts: int
    image: str
    metrics: dict[str, Any] = Field(description="Once its results are stored below `runs/{id}/`.")
    upload: str = Field(description="For `GET /uploads/{id}`, once the result is uploaded.")


class RunList(BaseModel):
    """Training runs, newest first."""

    runs: list[Run]


class Log(Record):
    """A part of a run's log."""

    text: str
    next: str = Field(description="Send it as `after` to get what was printed since.")


@router.post("", status_code=201, summary="Start a training run", responses=documented(400, 409, 503))
async def start_run(order: Order, here: Here, caller: Admin) -> Run:
    """A GPU job. Where the deployment has no training stack: 409."""
    batch = _batch(here)
    wishes = order.model_dump() | {"publish": order.publish or ""}
    run = start(here.store, runs.order(**wishes), batch)
    logger.info("run started", extra={"run": run.id, "job": run.job, "key": caller.id})
    return Run.model_validate(run)


@router.get("", summary="Training runs", responses=documented(400))
async def list_runs(
    here: Here,
    _caller: Reader,
    limit: Annotated[int, Query(ge=1, le=LIMIT, description="How many, newest first.")] = 50,
) -> RunList:
    """Newest first."""

    def known(run_id: str) -> runs.Run | None:
        try:
            return runs.read(here.store, run_id)
        except NotFound:  # a folder that somebody made by hand
            return None

    newest = side_by_side(known, runs.ids(here.store)[:limit])
    return RunList(runs=[Run.model_validate(run) for run in newest if run])


@router.get("/{run_id}", summary="One training run", responses=documented(404))
async def show_run(run_id: RunId, here: Here, _caller: Reader) -> Run:
    """What was ordered, how far it is, what came of it."""
    return Run.model_validate(runs.read(here.store, run_id))


@router.get("/{run_id}/logs", summary="What a run has printed", responses=documented(400, 404))
async def show_logs(
    run_id: RunId,
    here: Here,
    _caller: Reader,
    after: Annotated[str, Query(max_length=64, description="`next` of the part before.")] = "",
) -> Log:
    """In parts; an empty text: nothing new. A running job's last seconds come a little later."""
    return Log.model_validate(runs.logs(here.store, runs.read(here.store, run_id), after))


@router.delete("/{run_id}", summary="Stop a training run", responses=documented(404, 409, 503))
async def stop_run(run_id: RunId, here: Here, caller: Admin) -> Run:
    """Ends within 30 s and leaves a checkpoint. A run that is over: 409."""
    run = stop(here.store, run_id, lambda: _batch(here))
    logger.info("run stopped", extra={"run": run_id, "key": caller.id})
    return Run.model_validate(run)


def _batch(here: Deployment) -> Batch:
    if not here.settings.training:
        raise Conflict(NO_TRAINING)
    return _client(here.settings.training)


@cache
def _client(training: str) -> Batch:
    # boto3 and its first client take 0.3 s: only who starts or stops a run waits for them, and once.
    return Batch(training)
