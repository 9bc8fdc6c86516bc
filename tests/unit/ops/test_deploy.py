"""`coldpress deploy` and `destroy` against an AWS stand-in; `sam` is a script that does what SAM does."""

import json
import os
import stat
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from coldpress_ops.cli import app
from coldpress_ops.deploy.stages import read_stage

PROJECT = Path(__file__).resolve().parents[3]
REGION = "eu-west-1"
ACCOUNT = "123456789012"
# A few lines of the project's: linting all of it would take most of the tests' time.
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String}
  Architecture: {Type: String, Default: x86_64, AllowedValues: [x86_64, arm64]}
  Runtime: {Type: String, Default: python3.13}
  PredictMemory: {Type: Number, Default: 1769}
  Preload: {Type: String, Default: ""}
  ExistingBucket: {Type: String, Default: ""}
Globals:
  Function: {Runtime: !Ref Runtime, Architectures: [!Ref Architecture]}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${Stage}-${PredictMemory}-${Preload}-${ExistingBucket}"}
"""
DEPLOYED = {
    "Resources": {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "Properties": {"BucketName": "coldpress-dev-models"},
        },
        "Queue": {"Type": "AWS::SQS::Queue"},
    },
    "Outputs": {"Url": {"Value": "https://api.example"}, "BucketName": {"Value": {"Ref": "Bucket"}}},
}
# It notes how it was called, and does what can be seen of the real one: leaves a build behind, and makes a
# change set, whose ARN it prints among other words.
SAM = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path

here = Path(__file__).parent
with (here / "calls").open("a") as log:
    fits = [os.environ.get("RUNTIME"), os.environ.get("MACHINE")]
    log.write(json.dumps([sys.argv[1:], fits, os.getcwd()]) + "\\n")
answer = json.loads((here / "answer.json").read_text())
if sys.argv[1] == answer.get("fails"):
    print("Error: something is wrong")
    sys.exit(3)
if sys.argv[1] == "--version":
    print("SAM CLI, version 1.170.0")
elif sys.argv[1] == "build":
    built = Path(".aws-sam/build")
    (built / "Layer/python").mkdir(parents=True, exist_ok=True)
    (built / "PredictFunction").mkdir(exist_ok=True)
    (built / "PredictFunction/app.py").write_text("1")
    bill = built / "Layer/sbom/layer.cdx.json"
    bill.parent.mkdir(exist_ok=True)
    names = ("runtime", "machine")
    pairs = zip(names, answer["fits"] or fits)
    rows = [{{"name": f"coldpress:{{name}}", "value": value}} for name, value in pairs]
    bill.write_text(json.dumps({{"metadata": {{"component": {{"properties": rows}}}}}}))
    with (built / "Layer/python/big.pyc").open("wb") as file:
        file.truncate(answer["layer_bytes"])
    (built / "template.yaml").write_text(json.dumps(answer["built"]))
elif answer["body"] is None:
    print("Error: No changes to deploy. Stack coldpress-dev is up to date")
else:
    import boto3
    formation = boto3.client("cloudformation")
    name = sys.argv[sys.argv.index("--config-env") + 1]
    known = [stack["StackName"] for stack in formation.describe_stacks()["Stacks"]]
    made = formation.create_change_set(
        StackName=f"coldpress-{{name}}", ChangeSetName="samcli-deploy1",
        TemplateBody=json.dumps(answer["body"]),
        ChangeSetType="UPDATE" if f"coldpress-{{name}}" in known else "CREATE",
    )
    print("\\nChangeset created successfully. ", made["Id"], "\\n")
"""
BUILT = {
    "Resources": {
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "Layer"}},
        "PredictFunction": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"CodeUri": "PredictFunction", "Layers": [{"Ref": "Layer"}]},
        },
    }
}


class Sam:
    """The script, and what it is to answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer = {"body": DEPLOYED, "layer_bytes": 1000, "built": BUILT, "fits": None}
        script = folder / "sam"
        script.write_text(SAM)
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def answers(self, **changed: Any) -> None:
        self.answer |= changed
        (self.folder / "answer.json").write_text(json.dumps(self.answer))

    @property
    def calls(self) -> list[Any]:
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def builds(self) -> list[Any]:
        """Runtime and machine of each build."""
        return [fits for words, fits, _ in self.calls if words[0] == "build"]


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sam(cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sam:
    """A project, an account with nothing in it, and `sam` on the PATH."""
    import httpx

    httpx.post(f"{cloud}/moto-api/reset").raise_for_status()
    tools, project = tmp_path / "tools", tmp_path / "project"
    for folder in (tools, project, project / "layers"):
        folder.mkdir()
    (project / "samconfig.toml").write_text((PROJECT / "samconfig.toml").read_text())
    (project / "template.yaml").write_text(TEMPLATE)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL": cloud,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "PATH": f"{tools}:{os.environ['PATH']}",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("coldpress_ops.deploy.changes.POLL_SECONDS", 0.01)
    monkeypatch.chdir(project)
    made = Sam(tools)
    made.answers()
    return made


def run(*arguments: str, typed: str | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=typed)


def formation() -> Any:
    return boto3.client("cloudformation")


def stacks() -> dict[str, str]:
    found = formation().describe_stacks()["Stacks"]
    return {stack["StackName"]: stack["StackStatus"] for stack in found}


def test_deploys_what_was_listed_after_a_yes(sam: Sam) -> None:
    result = run("deploy", "--set", "PredictMemory=3008", "--set", "Preload=a, b", typed="y\n")
    assert result.exit_code == 0, result.output
    assert stacks() == {"coldpress-dev": "CREATE_COMPLETE"}
    words = result.stdout
    assert f"ok     credentials: account {ACCOUNT}" in words
    assert "ok     packages: for python3.13 on x86_64" in words
    assert "ok     fit: python3.13 on x86_64" in words
    assert "ok     sizes: PredictFunction 0.0 MB" in words
    assert "2 changes to coldpress-dev" in words
    assert words.index("Add  Bucket") < words.index("Change coldpress-dev in eu-west-1?")
    assert words.index("Change coldpress-dev") < words.index("CREATE_COMPLETE")
    here = str(Path.cwd())
    deploy = [
        *("deploy", "--config-env", "dev", "--region", REGION),
        *("--no-execute-changeset", "--no-confirm-changeset", "--no-fail-on-empty-changeset"),
        *("--no-progressbar", "--parameter-overrides"),
        *('Stage="dev"', 'PredictMemory="3008"', 'Preload="a, b"'),
    ]
    build = ["build", "--config-env", "dev", "--parameter-overrides"]
    assert sam.calls == [
        [["--version"], [None, None], here],
        [[*build, "Architecture=x86_64", "Runtime=python3.13"], ["python3.13", "x86_64"], here],
        [deploy, [None, None], here],
    ]


@pytest.mark.parametrize("how", [["n"], ["--dry-run"]])
def test_without_a_yes_nothing_changes_and_nothing_is_left(how: list[str], sam: Sam) -> None:
    assert sam
    options = [word for word in how if word.startswith("-")]
    result = run("deploy", *options, typed="n\n")
    assert result.exit_code == 0, result.output
    assert "2 changes to coldpress-dev" in result.stdout
    assert "nothing was changed" in result.stdout
    assert stacks() == {}


def test_an_interrupted_question_leaves_nothing(sam: Sam) -> None:
    assert sam
    result = run("deploy", typed="")
    assert result.exit_code == 1
    assert stacks() == {}


def test_changes_show_what_is_removed_first(sam: Sam) -> None:
    run("deploy", "--yes")
    grown = json.loads(json.dumps(DEPLOYED))
    grown["Resources"]["Topic"] = {"Type": "AWS::SNS::Topic"}
    del grown["Resources"]["Queue"]
    sam.answers(body=grown)
    result = run("deploy", "--yes")
    assert result.exit_code == 0, result.output
    listed = result.stdout.partition("changes to coldpress-dev")[2]
    assert listed.index("Remove") < listed.index("Add")
    assert stacks() == {"coldpress-dev": "UPDATE_COMPLETE"}


def test_a_bucket_left_by_a_deleted_stack_is_not_run_into(sam: Sam) -> None:
    name = f"coldpress-dev-{ACCOUNT}-{REGION}"
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    result = run("deploy", "--yes")
    assert result.exit_code == 1
    assert f"broken bucket: {name} is there already" in result.stdout
    assert f"--set ExistingBucket={name}" in result.stdout
    assert [words for words, *_ in sam.calls] == [["--version"]]
    result = run("deploy", "--yes", "--set", f"ExistingBucket={name}")
    assert result.exit_code == 0, result.output


def test_nothing_new_is_no_failure(sam: Sam) -> None:
    formation().create_stack(StackName="coldpress-dev", TemplateBody=json.dumps(DEPLOYED))
    sam.answers(body=None)
    result = run("deploy")
    assert result.exit_code == 0, result.output
    assert "coldpress-dev is up to date" in result.stdout


def test_it_ends_with_the_outputs_and_what_to_do_next(sam: Sam) -> None:
    # The stand-in gives outputs to stacks only that were made without a change set.
    formation().create_stack(StackName="coldpress-dev", TemplateBody=json.dumps(DEPLOYED))
    grown = DEPLOYED | {"Resources": {**DEPLOYED["Resources"], "Topic": {"Type": "AWS::SNS::Topic"}}}
    sam.answers(body=grown)
    result = run("deploy", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(
        "Url: https://api.example\n"
        "BucketName: coldpress-dev-models\n"
        "next: coldpress keys create --admin --store s3://coldpress-dev-models\n"
        "      coldpress doctor --url https://api.example --key KEY\n"
    )


def test_stages_are_apart(sam: Sam) -> None:
    run("deploy", "--stage", "staging", "--set", "Architecture=arm64", "--yes")
    assert stacks() == {"coldpress-staging": "CREATE_COMPLETE"}
    assert sam.builds == [["python3.13", "aarch64"]]


def test_packages_fit_what_the_stack_keeps(sam: Sam) -> None:
    """SAM leaves a parameter that is not named as it is; so the layers must fit that, not the default."""
    kept = {"Runtime": {"Type": "String"}, "Architecture": {"Type": "String"}}
    given = [("Runtime", "python3.12"), ("Architecture", "arm64")]
    formation().create_stack(
        StackName="coldpress-dev",
        TemplateBody=json.dumps(DEPLOYED | {"Parameters": kept}),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given],
    )
    sam.answers(body=None)
    result = run("deploy")
    assert result.exit_code == 0, result.output
    assert "ok     packages: for python3.12 on arm64" in result.stdout
    assert run("deploy", "--set", "Runtime=python3.14").exit_code == 0
    assert sam.builds == [["python3.12", "aarch64"], ["python3.14", "aarch64"]]


def test_layers_of_another_python_are_not_deployed(sam: Sam) -> None:
    sam.answers(fits=["python3.11", "x86_64"])
    result = run("deploy", "--yes")
    assert result.exit_code == 1
    assert (
        "broken fit: Layer is built for python3.11 on x86_64, not for python3.13 on x86_64" in result.stdout
    )
    assert stacks() == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stage", "live"], "samconfig.toml has no stage 'live'; it has dev, staging, prod"),
        (["--set", "Memory=1"], "template.yaml has no parameter Memory; it has Stage, Architecture, "),
        (["--set", "PredictMemory"], "'PredictMemory' is no NAME=VALUE, such as PredictMemory=3008"),
    ],
)
def test_wrong_options_are_told_before_anything_runs(arguments: list[str], words: str, sam: Sam) -> None:
    result = run("deploy", *arguments)
    assert (result.exit_code, words in result.stderr) == (1, True), result.output
    assert sam.calls == []


def test_a_failing_command_ends_it_with_its_last_words(sam: Sam) -> None:
    sam.answers(fails="build")
    result = run("deploy", "--yes")
    assert result.exit_code == 1
    assert result.stderr == "error: sam build ended with status 3: Error: something is wrong\n"
    assert stacks() == {}


def test_a_package_over_lambdas_limit_is_not_deployed(sam: Sam) -> None:
    sam.answers(layer_bytes=263_000_000)
    result = run("deploy", "--yes")
    assert result.exit_code == 1
    assert "broken sizes: PredictFunction 263.0 MB; Lambda takes 262 MB" in result.stdout
    assert stacks() == {}


def test_a_package_over_the_budget_is_deployed_with_a_note(sam: Sam) -> None:
    sam.answers(layer_bytes=46_000_000)
    result = run("deploy", "--yes")
    assert result.exit_code == 0
    assert "note   sizes: PredictFunction 46.0 MB; budget: PredictFunction 45 MB" in result.stdout


def test_without_sam_or_credentials_nothing_is_built(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = run("deploy", "--yes")
    assert result.exit_code == 1
    assert "broken SAM: sam is not on the PATH" in result.stdout
    assert "broken credentials: Unable to locate credentials" in result.stdout
    assert "→ aws configure, aws sso login, or set AWS_PROFILE" in result.stdout
    assert sam.calls == []


def test_without_a_region_it_says_so(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sam
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    result = run("deploy")
    assert result.stderr == "error: no region: give --region, such as eu-west-1, or set AWS_REGION\n"


def test_without_boto3_it_names_the_extra(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    result = run("deploy")
    assert result.stderr == "error: boto3 is not installed; pip install 'coldpress[deploy]'\n"
    assert sam.calls == []


def test_a_template_with_a_mistake_is_not_deployed(sam: Sam) -> None:
    template = Path("template.yaml")
    template.write_text(template.read_text().replace("Type: AWS::SQS::Queue\n", "Type: AWS::SQS::Queu\n"))
    result = run("deploy", "--yes")
    assert result.exit_code == 1
    assert "broken template: line " in result.stdout
    assert [words for words, *_ in sam.calls] == [["--version"]]


def test_an_installed_wheel_cannot_deploy(sam: Sam) -> None:
    Path("layers").rmdir()
    result = run("deploy")
    assert "deploying needs the whole project" in result.stderr
    assert sam.calls == []


# ---------------------------------------------------------------------- destroy
def test_destroy_asks_for_the_name_and_keeps_the_bucket(sam: Sam) -> None:
    assert sam
    run("deploy", "--yes")
    result = run("destroy", typed="dev\n")
    assert result.exit_code == 0, result.output
    assert "coldpress-dev in eu-west-1: 1 resources go" in result.stdout
    assert "stays: AWS::S3::Bucket coldpress-dev-models, with all that is in it" in result.stdout
    assert "coldpress-dev is gone" in result.stdout
    assert stacks() == {}
    buckets = [each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]]
    assert buckets == ["coldpress-dev-models"]


@pytest.mark.parametrize("typed", ["y", "prod", "coldpress-dev"])
def test_any_other_word_deletes_nothing(typed: str, sam: Sam) -> None:
    assert sam
    run("deploy", "--yes")
    result = run("destroy", typed=f"{typed}\n")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"error: '{typed}' is not 'dev': nothing was deleted\n")
    assert stacks() == {"coldpress-dev": "CREATE_COMPLETE"}


def test_destroying_nothing_says_so(sam: Sam) -> None:
    assert sam
    result = run("destroy", "--confirm", "dev")
    assert result.exit_code == 1
    assert "there is no stack coldpress-dev in this account and region" in result.stderr


def test_the_stages_in_the_repository_are_consistent() -> None:
    configured = tomllib.loads((PROJECT / "samconfig.toml").read_text())
    stages = [name for name in configured if name not in ("version", "default")]
    assert stages == ["dev", "staging", "prod"]
    assert configured["default"]["deploy"] == configured["dev"]["deploy"]
    for name in stages:
        parameters = configured[name]["deploy"]["parameters"]
        # `destroy` names the prefix, and the bucket's name is made of the stage.
        assert parameters["stack_name"] == parameters["s3_prefix"] == f"coldpress-{name}"
        assert f"Stage={name}" in parameters["parameter_overrides"].split()
        stage = read_stage(name, PROJECT / "template.yaml", [])
        assert (stage.stack, stage.architecture) == (f"coldpress-{name}", "x86_64")
        assert stage.runtime.startswith("python3.")
        written = stage.template.read_text()
        assert stage.bucket("${AWS::AccountId}", "${AWS::Region}").replace(name, "${Stage}") in written
