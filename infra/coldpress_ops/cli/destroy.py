"""`coldpress destroy`."""

from typing import Annotated

import typer

from coldpress.errors import InvalidRequest
from coldpress_ops.cli.deploy import Region, StageName


def destroy(
    stage: StageName = "dev",
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="STAGE", help="The stage's name, instead of typing it.")
    ] = "",
    region: Region = None,
) -> None:
    """Delete a stage's stack from AWS: gateway, functions, queues. The bucket with the models stays.

    Asks for the stage's name first.

    Example: coldpress destroy --stage dev
    """
    from rich.console import Console

    from coldpress_ops.deploy import removal
    from coldpress_ops.deploy.aws import Cloud, in_words
    from coldpress_ops.deploy.stages import read_stage
    from coldpress_ops.project import find_template

    console = Console(highlight=False, soft_wrap=True)
    wanted = read_stage(stage, find_template(), [])
    cloud = Cloud(region)
    with in_words():
        plan = removal.plan(cloud.formation, wanted)
        console.print(f"{wanted.stack} in {cloud.region}: {plan.going} resources go")
        for kept in plan.staying:
            console.print(f"stays: {kept}")
        typed = confirm or typer.prompt("Type the stage's name to delete it")
        if typed != stage:
            raise InvalidRequest(f"{typed!r} is not {stage!r}: nothing was deleted")
        removal.remove(cloud.formation, plan, console.print)
    console.print(f"{wanted.stack} is gone")
