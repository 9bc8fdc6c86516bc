"""template.yaml -> functions, routes and triggers; what is not known is refused by name."""

from pathlib import Path
from textwrap import dedent

import pytest

from coldpress_ops.local.application import Application, Function, Route, Trigger
from coldpress_ops.local.cloudformation import TemplateError
from coldpress_ops.local.template import load
from coldpress_ops.project import CHECKOUT

TEMPLATE = dedent("""
    Transform: AWS::Serverless-2016-10-31
    Parameters:
      Stage: {Type: String, Default: dev}
      Memory: {Type: Number, Default: 1769}
    Globals:
      Function:
        Runtime: python3.11
        Handler: app.handler
        Timeout: 29
        Environment:
          Variables:
            STORE: !Sub "s3://store-${Stage}-${AWS::AccountId}-${AWS::Region}"
            LEVEL: info
    Resources:
      Api:
        Type: AWS::Serverless::HttpApi
        Properties: {StageName: $default}
      Layer:
        Type: AWS::Serverless::LayerVersion
        Properties: {ContentUri: !Select [0, [a]]}
      Answer:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: functions/answer/
          MemorySize: !Ref Memory
          Layers: [!Ref Layer]
          Environment:
            Variables: {LEVEL: debug, DEBUG: 1}
          Events:
            One:
              Type: HttpApi
              Properties: {ApiId: !Ref Api, Path: "/models/{model}", Method: get}
            Rest:
              Type: HttpApi
              Properties: {ApiId: !Ref Api, Path: "/{proxy+}", Method: ANY}
      Take:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: functions/take/
          Handler: take.main
          Timeout: 300
          Events:
            Uploads:
              Type: SQS
              Properties:
                {Queue: !GetAtt Queue.Arn, BatchSize: 5, FunctionResponseTypes: [ReportBatchItemFailures]}
      Bucket:
        Type: AWS::S3::Bucket
        Properties:
          BucketName: !Sub [ "${Name}-${Stage}", {Name: store} ]
          NotificationConfiguration:
            QueueConfigurations:
              - Event: s3:ObjectCreated:*
                Queue: !GetAtt Queue.Arn
                Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}, {Name: suffix, Value: .onnx}]}}
      Queue:
        Type: AWS::SQS::Queue
        Properties:
          VisibilityTimeout: 60
          RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
      Dead:
        Type: AWS::SQS::Queue
""")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("answer", "take"):
        (tmp_path / "functions" / name).mkdir(parents=True)
    return tmp_path


def written(root: Path, text: str) -> Path:
    path = root / "template.yaml"
    path.write_text(text)
    return path


def test_whole_application(root: Path) -> None:
    store = "s3://store-dev-123456789012-us-east-1"
    assert load(written(root, TEMPLATE)) == Application(
        functions={
            "Answer": Function(
                name="Answer",
                folder=root / "functions" / "answer",
                handler="app.handler",
                memory_mb=1769,
                timeout=29,
                environment={"STORE": store, "LEVEL": "debug", "DEBUG": "1"},
            ),
            "Take": Function(
                name="Take",
                folder=root / "functions" / "take",
                handler="take.main",
                memory_mb=128,
                timeout=300,
                environment={"STORE": store, "LEVEL": "info"},
            ),
        },
        routes=(Route("GET", "/models/{model}", "Answer"), Route("ANY", "/{proxy+}", "Answer")),
        triggers=(
            Trigger(
                bucket="store-dev",
                prefix="in/",
                suffix=".onnx",
                queue="arn:aws:sqs:us-east-1:123456789012:Queue",
                function="Take",
                max_receives=3,
                visibility_seconds=60,
                reports_failures=True,
            ),
        ),
    )


def test_the_template_of_this_repository_can_be_served() -> None:
    application = load(CHECKOUT / "template.yaml")
    served = {route.function for route in application.routes} | {t.function for t in application.triggers}
    assert served == application.functions.keys()
    assert all((function.folder / "app.py").is_file() for function in application.functions.values())
    assert [(t.prefix, t.suffix, t.function) for t in application.triggers] == [
        ("incoming/", ".onnx", "IngestFunction")
    ]


UNKNOWN = "the local server does not know"
DEAD = "  Dead:\n    Type: AWS::SQS::Queue"


@pytest.mark.parametrize(
    ("old", "new", "where", "why"),
    [
        (
            "Type: AWS::Serverless::HttpApi",
            "Type: AWS::Events::Rule",
            "Api",
            f"{UNKNOWN} the type AWS::Events::Rule",
        ),
        ("StageName: $default", "CorsConfiguration: true", "Api.CorsConfiguration", UNKNOWN),
        ("CodeUri: functions/take/", "ImageUri: x", "Take.ImageUri", UNKNOWN),
        ("CodeUri: functions/take/", "CodeUri: functions/none/", "Take.CodeUri", "there is no folder "),
        (
            "Runtime: python3.11",
            "Runtime: nodejs22.x",
            "Answer.Runtime is nodejs22.x",
            "Python functions only",
        ),
        ("Handler: app.handler", "Tags: {}", "Answer.Handler", "is missing or no text"),
        ("!Ref Memory", "!If [a, 1, 2]", "Answer.MemorySize", "there is no condition a"),
        ("!Ref Memory", "lots", "Answer.MemorySize is 'lots'", "must be a whole number"),
        ("!Ref Memory", "!Ref Nowhere", "Answer.MemorySize", "there is no parameter or resource Nowhere"),
        ("Default: 1769", "MinValue: 1", "Answer.MemorySize", "the parameter Memory needs a Default"),
        (
            "LEVEL: debug",
            "LEVEL: !Ref Queue",
            "Answer.Environment.Variables.LEVEL",
            "!Ref Queue (AWS::SQS::Queue)",
        ),
        ("LEVEL: debug", "LEVEL: !GetAtt Api.Id", "Answer.Environment.Variables.LEVEL", "!GetAtt Api.Id"),
        ("Method: ANY", "Method: FETCH", "Answer.Events.Rest.Method is 'FETCH'", "it must be one of ANY, "),
        ("Method: ANY", "Method: ANY, Auth: {}", "Answer.Events.Rest.Auth", UNKNOWN),
        (
            "Method: ANY",
            'Method: ANY, PayloadFormatVersion: "1.0"',
            "Answer.Events.Rest.PayloadForm",
            "2.0 only",
        ),
        (
            '"/{proxy+}", Method: ANY',
            '"/models/{model}", Method: GET',
            "Answer.Events.Rest",
            "Answer.Events.One has",
        ),
        ('"/{proxy+}"', '"/{proxy+}/more"', "Answer.Events.Rest.Path", "{name+} must come last"),
        ('"/{proxy+}"', '"/a{proxy}"', "Answer.Events.Rest.Path", "a parameter must be a whole segment"),
        ('"/{proxy+}"', "models", "Answer.Events.Rest.Path", "it must start with '/'"),
        ("Type: SQS", "Type: Schedule", "Take.Events.Uploads", f"{UNKNOWN} events of type Schedule"),
        ("BatchSize: 5", "FilterCriteria: {}", "Take.Events.Uploads.FilterCriteria", UNKNOWN),
        (
            "Queue.Arn, B",
            "Dead.Arn, B",
            "Bucket.NotificationConfiguration",
            "no function of this template reads",
        ),
        ("QueueConf", "LambdaConf", "Bucket.NotificationConfiguration.LambdaConfigurations", UNKNOWN),
        ("Created:*", "Removed:*", "Bucket.NotificationConfiguration", "not s3:ObjectRemoved:*"),
        ("Name: suffix", "Name: regex", "Bucket.NotificationConfiguration.", "Filter.regex"),
        (", maxReceiveCount: 3", "", "Queue.RedrivePolicy.maxReceiveCount", "is missing"),
        ("VisibilityTimeout: 60", "FifoQueue: true", "Queue.FifoQueue", UNKNOWN),
        (DEAD, f"{DEAD}\n    Condition: Now", "Dead.Condition", "there is no condition Now"),
        (DEAD, f"{DEAD}\n  Two:\n    Type: AWS::Serverless::HttpApi", "Api and Two", "it serves one HttpApi"),
    ],
)
def test_what_is_not_known_is_refused_by_name(root: Path, old: str, new: str, where: str, why: str) -> None:
    assert TEMPLATE.count(old) == 1
    with pytest.raises(TemplateError) as caught:
        load(written(root, TEMPLATE.replace(old, new)))
    assert str(caught.value).startswith(where)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "is not valid YAML"),
        ("a: 1", "has no Resources"),
        ("- 1", "has no Resources"),
    ],
)
def test_no_template(root: Path, text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        load(written(root, text))


def test_missing_template(root: Path) -> None:
    with pytest.raises(TemplateError, match=r"cannot read the template .*: No such file or directory"):
        load(root / "template.yaml")


CONDITIONAL = (
    TEMPLATE.replace(
        "Globals:", "Conditions: {Big: !Equals [!Ref Stage, prod], Small: !Not [!Condition Big]}\nGlobals:"
    )
    .replace("MemorySize: !Ref Memory", "MemorySize: !If [Big, 4096, !Ref Memory]")
    .replace("LEVEL: debug", "LEVEL: !If [Big, quiet, !Ref AWS::NoValue]")
    + "  Rule: {Type: AWS::Events::Rule, Condition: Big}\n"
    + "  Other: {Type: AWS::SQS::Queue, Condition: Small}\n"
)


@pytest.mark.parametrize(("stage", "memory"), [("dev", 1769), ("prod", 4096)])
def test_conditions_hold_with_the_parameters_defaults(root: Path, stage: str, memory: int) -> None:
    text = CONDITIONAL.replace("Default: dev", f"Default: {stage}")
    if stage == "prod":
        with pytest.raises(TemplateError, match="Rule: the local server does not know the type"):
            load(written(root, text))
        text = text.replace("AWS::Events::Rule", "AWS::SNS::Topic")
    answer = load(written(root, text)).functions["Answer"]
    assert answer.memory_mb == memory
    assert answer.environment.get("LEVEL") == {"dev": None, "prod": "quiet"}[stage]
