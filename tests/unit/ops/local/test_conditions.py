"""CloudFormation's condition functions."""

from typing import Any

import pytest

from coldpress_ops.local.conditions import UnknownCondition, holds

VALUES = {"stage": "dev", "zero": 0, "yes": True}


def resolve(value: Any) -> Any:
    return VALUES[value["Ref"]] if isinstance(value, dict) else value


YES, NO = {"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}


@pytest.mark.parametrize(
    ("expression", "truth"),
    [
        ({"Fn::Equals": [{"Ref": "stage"}, "dev"]}, True),
        ({"Fn::Equals": [{"Ref": "stage"}, "prod"]}, False),
        ({"Fn::Equals": [{"Ref": "zero"}, "0"]}, True),
        ({"Fn::Equals": [{"Ref": "yes"}, "true"]}, True),
        ({"Fn::Not": [NO]}, True),
        ({"Fn::Not": [YES]}, False),
        ({"Fn::And": [YES, NO]}, False),
        ({"Fn::And": [YES, YES]}, True),
        ({"Fn::Or": [NO, YES]}, True),
        ({"Fn::Or": [NO, NO]}, False),
        ({"Condition": "Other"}, True),
        ({"Fn::Not": [{"Condition": "Other"}]}, False),
    ],
)
def test_truth(expression: Any, truth: bool) -> None:
    assert holds("It", {"It": expression, "Other": YES}, resolve) is truth


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({"Fn::Select": [0, ["a"]]}, "does not know 'Fn::Select' in a condition"),
        ("true", "does not know 'true' in a condition"),
        ({"Condition": "Nowhere"}, "there is no condition Nowhere"),
        ({"Fn::Not": [YES], "Fn::And": []}, r"one function, not \['Fn::And', 'Fn::Not'\]"),
    ],
)
def test_what_is_not_known_is_refused(expression: Any, message: str) -> None:
    with pytest.raises(UnknownCondition, match=message):
        holds("It", {"It": expression}, resolve)
