"""`coldpress doctor`."""

from typing import Annotated

import typer

from coldpress_ops.cli.options import DEFAULT_STATE, DEFAULT_URL, KEY_FILE, Json, Key, State, Url, print_json


def doctor(
    url: Url = DEFAULT_URL,
    key: Key = "",
    state: State = DEFAULT_STATE,
    machine: Annotated[
        bool | None,
        typer.Option(
            "--machine/--no-machine", help="Look at this machine too; by default with a local URL only."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Find out what is wrong with an installation or a deployment, and how to put it right.

    Looks at Python, the platform, ONNX Runtime, the state folder, the disk and the store, then at the
    server: health, the key, the models. Exit status 1 when something is broken.

    Example: coldpress doctor --url https://abc.execute-api.eu-west-1.amazonaws.com --key KEY
    """
    from rich.console import Console

    from coldpress_ops.doctor import deployment, findings
    from coldpress_ops.doctor import machine as this_machine
    from coldpress_ops.transport import is_local

    local = is_local(url)
    if local and not key and (state / KEY_FILE).is_file():
        key = (state / KEY_FILE).read_text().strip()
    found = []
    console = Console(highlight=False, soft_wrap=True)
    looks = [this_machine.look_at(state)] if machine or (machine is None and local) else []
    for look in (*looks, deployment.look_at(url, key)):
        for finding in look:
            found.append(finding)
            if not json:
                findings.show(finding, console)
    if json:
        print_json(findings.as_data(found))
    if findings.is_broken(found):
        raise typer.Exit(1)
