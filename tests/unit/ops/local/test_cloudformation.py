"""Short tags and the intrinsic functions with a local value."""

from pathlib import Path

import pytest

from coldpress_ops.local.cloudformation import Resolver, TemplateError, read

DOCUMENT = {
    "Parameters": {"Stage": {"Default": "dev"}},
    "Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "b-${Stage}"}}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Function": {"Type": "AWS::Serverless::Function"},
    },
}


def test_short_tags_read_as_long_forms(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("""
Resources:
  A: !Ref B
  B: !GetAtt C.D.E
  C: !Sub "${A}"
  D: !Sub ["${A}", {A: !Ref B}]
  E: !If [Sunny, 1, !Ref C]
  F: {Condition: !Condition Sunny}
""")
    assert read(path)["Resources"] == {
        "A": {"Ref": "B"},
        "B": {"Fn::GetAtt": ["C", "D.E"]},
        "C": {"Fn::Sub": "${A}"},
        "D": {"Fn::Sub": ["${A}", {"A": {"Ref": "B"}}]},
        "E": {"Fn::If": ["Sunny", 1, {"Ref": "C"}]},
        "F": {"Condition": {"Condition": "Sunny"}},
    }


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("text", "text"),
        ({"Ref": "Stage"}, "dev"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "Bucket"}, "b-dev"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:aws:s3:::b-dev"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:us-east-1:123456789012:Queue"),
        ({"Fn::GetAtt": ["Function", "Arn"]}, "arn:aws:lambda:us-east-1:123456789012:function:Function"),
        ({"Fn::Sub": "${Bucket.Arn}/${Stage}/${!Kept}"}, "arn:aws:s3:::b-dev/dev/${Kept}"),
        ({"Fn::Sub": ["${X}-${Stage}", {"X": {"Ref": "Stage"}}]}, "dev-dev"),
        ([{"a": {"Ref": "Stage"}, "b": 1}], [{"a": "dev", "b": 1}]),
    ],
)
def test_values(value: object, resolved: object) -> None:
    assert Resolver(DOCUMENT).value(value, "Somewhere") == resolved


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Fn::ImportValue": "x"}, "Somewhere: the local server does not know Fn::ImportValue"),
        ({"deep": [{"Fn::Join": ["", []]}]}, "Somewhere.deep: the local server does not know Fn::Join"),
        ({"Fn::Sub": "${Missing}"}, "Somewhere: there is no parameter or resource Missing"),
        (
            {"Fn::GetAtt": ["Queue", "Url"]},
            "Somewhere: !GetAtt Queue.Url (AWS::SQS::Queue) has no local value",
        ),
    ],
)
def test_what_has_no_local_value(value: object, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Resolver(DOCUMENT).value(value, "Somewhere")
    assert str(caught.value) == message
