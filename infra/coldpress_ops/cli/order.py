"""`coldpress train --on`: the run becomes a job, of this machine or of AWS Batch."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coldpress_ops.cli.options import print_json

if TYPE_CHECKING:
    from coldpress_ops.jobs.orders import Order


class Place(StrEnum):
    """Where a job runs."""

    LOCAL = "local"
    BATCH = "batch"


_JOBS = "Jobs"
On = Annotated[
    Place | None,
    typer.Option(
        "--on",
        rich_help_panel=_JOBS,
        show_default=False,
        help="Make it a job, and return: local is a process of this machine, batch is AWS Batch. "
        "See: coldpress runs",
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", rich_help_panel=_JOBS, help="Stay, and print what the job prints.")
]
Minutes = Annotated[
    int,
    typer.Option(
        "--expected-minutes",
        min=0,
        show_default=False,
        rich_help_panel=_JOBS,
        help="How long it will take, roughly: the shortest waiting job starts first.",
    ),
]
Nodes = Annotated[int, typer.Option("--nodes", min=1, rich_help_panel=_JOBS, help="Machines (batch).")]
Gpus = Annotated[
    int,
    typer.Option(
        "--gpus",
        min=0,
        show_default=False,
        rich_help_panel=_JOBS,
        help="GPUs of each machine (batch); else the stack's.",
    ),
]
StageName = Annotated[
    str, typer.Option("--stage", rich_help_panel=_JOBS, help="Which deployment's AWS Batch (batch).")
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", envvar="AWS_REGION", rich_help_panel=_JOBS, help="AWS region; else your profile's."
    ),
]


def order_run(
    order: "Order", on: Place, state: Path, stage: str, region: str | None, *, follow: bool, json: bool
) -> None:
    """Starts the job and prints its id; with `follow`, its log until it is over."""
    from coldpress_ops.cli.runs import LOCAL_PAUSE, follow_run
    from coldpress_ops.jobs.backend import LocalRuns
    from coldpress_ops.jobs.orders import start_batch, start_local

    if on is Place.LOCAL:
        run, where = start_local(order, state), f"--state {state}"
    else:
        submitted = start_batch(order, stage, region)
        run, where = submitted.run, f"--url {submitted.url}"
    hint = f"follow it with: coldpress runs logs -f {run.id} {where}"
    if json:
        print_json(run._asdict())
    else:
        typer.echo(run.id)
    if not follow:
        return typer.echo(hint, err=True)
    if on is Place.BATCH:
        return typer.echo(f"a deployment's control plane has the log; {hint}", err=True)
    return follow_run(LocalRuns(state), run.id, LOCAL_PAUSE)
