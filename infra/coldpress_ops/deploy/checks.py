"""What must be so before anything is built, and after."""

import shutil
from collections.abc import Iterator
from functools import partial

from coldpress_ops.deploy import packages, sam
from coldpress_ops.deploy.aws import Cloud
from coldpress_ops.deploy.stages import MACHINES, Stage
from coldpress_ops.doctor.findings import Broken, Finding, Note, find


def before(stage: Stage, cloud: Cloud) -> Iterator[Finding]:
    """Tools, credentials, template."""
    yield find("SAM", sam.version)
    yield find("make", _make)
    yield find("credentials", cloud.caller)
    yield Finding("ok", "region", cloud.region)
    yield find("processor", partial(_processor, stage))
    yield find("template", partial(_lint, stage, cloud.region))


def after(stage: Stage) -> Iterator[Finding]:
    """What was built."""
    yield find("sizes", partial(packages.check_sizes, stage.built))
    yield find("bytecode", partial(packages.check_bytecode, stage.built))


def _make() -> str:
    found = shutil.which("make")
    if not found:
        raise Broken("make is not on the PATH", "install it: apt-get install make, dnf install make")
    return found


def _processor(stage: Stage) -> str:
    if stage.architecture not in MACHINES:
        raise Broken(f"Architecture={stage.architecture}", f"one of {', '.join(MACHINES)}")
    return f"{stage.architecture}, {stage.runtime}"


def _lint(stage: Stage, region: str) -> str:
    try:
        from cfnlint.api import lint  # type: ignore[import-untyped, unused-ignore]
    except ModuleNotFoundError:
        raise Note("not linted: cfn-lint is not installed", "pip install 'coldpress[deploy]'") from None
    matches = lint(stage.template.read_text(), regions=[region])
    errors = [match for match in matches if match.rule.severity == "error"]
    if matches:
        words = "; ".join(f"line {each.linenumber}: {each.message}" for each in errors or matches)
        raise (Broken if errors else Note)(words, f"put it right in {stage.template.name}")
    return f"{stage.template.name} is clean for {region}"
