"""The SAM transform, as a program of an environment of its own.

Reads {"template": CloudFormation with long function names, "parameters": {…}}, writes CloudFormation.
"""

import json
import sys
from typing import Any

from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """There is no account to ask for them, and the template names none."""

    def load(self) -> dict[str, str]:
        return {}


order: dict[str, Any] = json.load(sys.stdin)
json.dump(transform(order["template"], order["parameters"], NoManagedPolicies()), sys.stdout)
