"""Asks for ever larger answers in a process with little memory left; prints the statuses.

python memory_session.py STORE KEY
"""

import json
import resource
import sys
from typing import Any

from coldpress.serving import DataPlane
from coldpress.settings import Settings

SPARE = 96 << 20
"""Bytes of address space beyond what the first answer took."""


def event(key: str, count: int, binary: bool) -> dict[str, Any]:
    tensor = {"name": "to", "datatype": "INT64", "shape": [1], "data": [count]}
    body = {"inputs": [tensor], "parameters": {"binary_data_output": binary}}
    return {
        "rawPath": "/v2/models/repeat/infer",
        "headers": {"x-api-key": key},
        "requestContext": {"http": {"method": "POST", "path": "/"}},
        "body": json.dumps(body),
    }


def main(store: str, key: str) -> None:
    plane = DataPlane(Settings(store=store))
    assert plane.answer(event(key, 1, binary=True))["statusCode"] == 200
    with open("/proc/self/statm") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, used + SPARE))
    statuses = [
        plane.answer(event(key, megabytes << 18, binary))["statusCode"]
        for megabytes in range(1, 96, 5)
        for binary in (True, False)
    ]
    statuses.append(plane.answer(event(key, 1, binary=True))["statusCode"])
    print(json.dumps(statuses))


if __name__ == "__main__":
    main(*sys.argv[1:])
