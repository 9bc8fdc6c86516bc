"""A template's conditions, with the values that its parameters have by default.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html
"""

from collections.abc import Callable, Mapping
from typing import Any

Resolve = Callable[[Any], Any]


class UnknownCondition(Exception):
    """There is no such condition, or it uses a function that is not known here; the message says which."""


def holds(name: str, conditions: Mapping[str, Any], resolve: Resolve) -> bool:
    """Whether a condition is true. `resolve` gives references their values. Raises `UnknownCondition`."""
    if name not in conditions:
        raise UnknownCondition(f"there is no condition {name}")
    return _true(conditions[name], conditions, resolve)


def _true(expression: Any, conditions: Mapping[str, Any], resolve: Resolve) -> bool:
    function: str
    argument: Any
    (function, argument), *more = expression.items() if isinstance(expression, dict) else [("", None)]
    match function:
        case _ if more:
            raise UnknownCondition(f"a condition is one function, not {sorted(expression)}")
        case "Condition":
            return holds(str(argument), conditions, resolve)
        case "Fn::Equals":
            one, other = (_text(resolve(value)) for value in argument)
            return one == other
        case "Fn::Not":
            return not _true(argument[0], conditions, resolve)
        case "Fn::And":
            return all(_true(each, conditions, resolve) for each in argument)
        case "Fn::Or":
            return any(_true(each, conditions, resolve) for each in argument)
    raise UnknownCondition(f"the local server does not know {function or expression!r} in a condition")


def _text(value: Any) -> str:
    # CloudFormation compares text: the number 0 equals "0", and YAML's true is "true".
    return str(value).lower() if isinstance(value, bool) else str(value)
