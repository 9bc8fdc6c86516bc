"""What must be so before anything is built, and after."""

import shutil
from collections.abc import Iterator
from functools import partial

from coldpress_ops.deploy import changes, packages, sam
from coldpress_ops.deploy.aws import Cloud, in_words
from coldpress_ops.deploy.stages import MACHINES, Stage
from coldpress_ops.doctor.findings import Broken, Finding, Note, find


def before(stage: Stage, cloud: Cloud) -> Iterator[Finding]:
    """Tools, credentials, template."""
    yield find("SAM", sam.version)
    yield find("make", _make)
    credentials = find("credentials", partial(_credentials, cloud))
    yield credentials
    yield Finding("ok", "region", cloud.region)
    if credentials.level == "ok":
        with in_words():
            yield find("bucket", partial(_bucket, stage, cloud))
            stage = stage.with_deployed(changes.parameters_of(cloud.formation, stage.stack))
    yield find("packages", partial(_packages, stage))
    yield find("template", partial(_lint, stage, cloud.region))


def after(stage: Stage) -> Iterator[Finding]:
    """What was built."""
    yield find("fit", partial(packages.check_fit, stage.built, stage.runtime, MACHINES[stage.architecture]))
    yield find("sizes", partial(packages.check_sizes, stage.built))
    yield find("bytecode", partial(packages.check_bytecode, stage.built))


def _make() -> str:
    found = shutil.which("make")
    if not found:
        raise Broken("make is not on the PATH", "install it: apt-get install make, dnf install make")
    return found


def _credentials(cloud: Cloud) -> str:
    identity = cloud.identity()
    return f"account {identity['Account']}, {identity['Arn']}"


def _bucket(stage: Stage, cloud: Cloud) -> str:
    own = stage.parameters.get("ExistingBucket", "")
    if own:
        return f"{own}, yours"
    name = stage.bucket(cloud.identity()["Account"], cloud.region)
    deployed = changes.status_of(cloud.formation, stage.stack) not in ("", "REVIEW_IN_PROGRESS")
    # CloudFormation would find out too, after it had made half of the stack, and take that away again.
    if not deployed and cloud.has_bucket(name):
        raise Broken(
            f"{name} is there already, left by a stack that was deleted, and CloudFormation takes over none",
            f"deploy with --set ExistingBucket={name} after switching its EventBridge notifications on, "
            "or delete it if nobody needs what is in it",
        )
    return name


def _packages(stage: Stage) -> str:
    if stage.architecture not in MACHINES:
        raise Broken(f"Architecture={stage.architecture}", f"one of {', '.join(MACHINES)}")
    return f"for {stage.runtime} on {stage.architecture}"


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
