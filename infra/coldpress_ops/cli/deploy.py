"""`coldpress deploy`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from coldpress_ops.cli.failures import FAILED

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coldpress_ops.deploy.changes import Change
    from coldpress_ops.doctor.findings import Finding

StageName = Annotated[
    str, typer.Option("--stage", help="Which of samconfig.toml's stages: dev, staging, prod.")
]
Region = Annotated[
    str | None, typer.Option("--region", envvar="AWS_REGION", help="AWS region; else your profile's.")
]


def deploy(
    stage: StageName = "dev",
    parameters: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of template.yaml; it stays set."),
    ] = None,
    region: Region = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing anything.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and stop.")] = False,
) -> None:
    """Deploy to AWS: checks, sam build, the list of changes, your word, sam deploy.

    Nothing changes before you say yes. What changes then is exactly what was listed.

    Example: coldpress deploy --stage staging --set PredictMemory=3008
    """
    from rich.console import Console

    from coldpress_ops.deploy import changes, checks, sam
    from coldpress_ops.deploy.aws import Cloud, in_words
    from coldpress_ops.deploy.stages import read_stage
    from coldpress_ops.project import find_template

    console = Console(highlight=False, soft_wrap=True)
    wanted = read_stage(stage, find_template(), parameters or [])
    cloud = Cloud(region)
    _go_on_if_well(checks.before(wanted, cloud), console)
    with in_words():
        wanted = wanted.with_deployed(changes.parameters_of(cloud.formation, wanted.stack))
    console.print("sam build …")
    sam.build(wanted)
    _go_on_if_well(checks.after(wanted), console)
    console.print("sam deploy …")
    change_set = sam.change_set(wanted, cloud.region)
    with in_words():
        if change_set is None:
            console.print(f"{wanted.stack} is up to date")
            return _tell(changes.outputs_of(cloud.formation, wanted.stack), console)
        try:
            console.print(_table(wanted.stack, changes.read_changes(cloud.formation, change_set)))
            go = not dry_run and (yes or typer.confirm(f"Change {wanted.stack} in {cloud.region}?"))
        except BaseException:
            changes.discard(cloud.formation, change_set, wanted.stack)
            raise
        if not go:
            changes.discard(cloud.formation, change_set, wanted.stack)
            return console.print("nothing was changed")
        outputs = changes.execute(cloud.formation, change_set, wanted.stack, console.print)
    return _tell(outputs, console)


def _go_on_if_well(looks: Iterable["Finding"], console: "Console") -> None:
    from coldpress_ops.doctor import findings

    found = []
    for finding in looks:
        findings.show(finding, console)
        found.append(finding)
    if findings.is_broken(found):
        typer.echo("error: not deployed: put right what is broken", err=True)
        raise typer.Exit(FAILED)


def _table(stack: str, found: "list[Change]") -> "Table":
    from rich.table import Table

    table = Table("", "resource", "type", "what differs", title=f"{len(found)} changes to {stack}", box=None)
    styles = {"Add": "green", "Modify": "yellow", "Remove": "red"}
    for change in found:
        action = "Replace" if change.replaced else change.action
        style = "red" if change.replaced else styles.get(change.action, "")
        table.add_row(action, change.resource, change.kind, ", ".join(change.properties), style=style)
    return table


def _tell(outputs: dict[str, str], console: "Console") -> None:
    for name, value in outputs.items():
        console.print(f"{name}: {value}")
    if "BucketName" in outputs and "Url" in outputs:
        console.print(
            f"next: coldpress keys create --admin --store s3://{outputs['BucketName']}\n"
            f"      coldpress doctor --url {outputs['Url']} --key KEY"
        )
