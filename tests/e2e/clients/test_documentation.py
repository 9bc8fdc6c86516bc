"""Every example in docs/protocols.md is run, and answers what the page says."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import Served

PAGE = Path(__file__).parents[3] / "docs" / "protocols.md"
EXAMPLES = re.findall(r"```sh\n(.*?)```\n```json\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_no_example_is_left_out() -> None:
    assert len(EXAMPLES) == PAGE.read_text().count("```sh") > 5


@pytest.mark.parametrize(("command", "expected"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_example(served: Served, command: str, expected: str) -> None:
    environment = os.environ | {"COLDPRESS_URL": f"http://{served.url}", "COLDPRESS_API_KEY": served.key}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout) == json.loads(expected), done.stderr


def test_the_limits_are_the_defaults() -> None:
    from coldpress.settings import Settings

    units = {"MiB": 1 << 20, "Mi": 1 << 20, "": 1}
    rows = re.findall(r"`COLDPRESS_(MAX_\w+)` \| (\d+) ?(\w*) \|", PAGE.read_text())
    said = {name.lower(): int(number) * units[unit] for name, number, unit in rows}
    fields = {name for name in Settings._fields if name.startswith("max_")} - {"max_model_bytes"}
    assert said == {name: getattr(Settings(), name) for name in fields}
