"""AWS SAM's command line: the two commands that deploying is made of."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from coldpress.errors import Unavailable
from coldpress_ops.deploy.stages import MACHINES, Stage
from coldpress_ops.doctor.findings import Broken

INSTALL = "pip install aws-sam-cli, in a virtual environment of its own (pipx install aws-sam-cli)"
VERSION_SECONDS = 60
BUILD_SECONDS = 1800
UPLOAD_SECONDS = 1800
LAST_LINES = 15
_CHANGE_SET = re.compile(r"arn:aws[a-z-]*:cloudformation:\S+:changeSet/\S+")
_NOTHING_NEW = "No changes to deploy"


def version() -> str:
    """The installed version. Raises `Broken` when there is none that works."""
    found = shutil.which("sam")
    if not found:
        raise Broken("sam is not on the PATH", INSTALL)
    try:
        done = _run([found, "--version"], Path.cwd(), VERSION_SECONDS)
    except Unavailable as error:
        raise Broken(f"{found}: {error}", INSTALL) from None
    return f"{done.strip()} at {found}"


def build(stage: Stage) -> None:
    """`sam build`: functions and layers into `stage.built`. Raises `Unavailable` with SAM's last words."""
    # SAM hands no parameters on to the Makefiles: they read the environment.
    fits = {
        "MACHINE": MACHINES[stage.architecture],
        "RUNTIME": stage.runtime,
        "COLDPRESS_PYTHON": sys.executable,
    }
    parameters = (f"Architecture={stage.architecture}", f"Runtime={stage.runtime}")
    command = ["sam", "build", "--config-env", stage.name, "--parameter-overrides", *parameters]
    _run(command, stage.folder, BUILD_SECONDS, fits)


def change_set(stage: Stage, region: str) -> str | None:
    """`sam deploy` up to the change set: uploads the packages; its ARN, or None when nothing is new."""
    words = _run(
        [
            *("sam", "deploy", "--config-env", stage.name, "--region", region),
            *("--no-execute-changeset", "--no-confirm-changeset", "--no-fail-on-empty-changeset"),
            *("--no-progressbar", "--parameter-overrides"),
            *(f"{name}={_quoted(value)}" for name, value in stage.parameters.items()),
        ],
        stage.folder,
        UPLOAD_SECONDS,
    )
    if _NOTHING_NEW in words:
        return None
    found = _CHANGE_SET.search(words)
    if not found:
        raise Unavailable(f"sam deploy made no change set that it names: {_last(words)}")
    return found[0]


def _run(command: list[str], folder: Path, seconds: float, variables: dict[str, str] | None = None) -> str:
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"} | (variables or {})
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(command[:2])} is not done after {seconds:g} s") from None
    if done.returncode:
        raise Unavailable(
            f"{' '.join(command[:2])} ended with status {done.returncode}: {_last(done.stdout)}"
        )
    return done.stdout


def _quoted(value: str) -> str:
    """As SAM reads values that may hold blanks, commas or nothing."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _last(words: str) -> str:
    return " | ".join([line for line in words.splitlines() if line.strip()][-LAST_LINES:])
