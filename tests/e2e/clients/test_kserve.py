"""KServe's `InferenceRESTClient`, unchanged, in an environment of its own."""

import json
import subprocess
from pathlib import Path

import pytest

from ...support import toolbox
from .conftest import Served

REQUIREMENTS = Path(__file__).with_name("kserve.txt")
SESSION = Path(__file__).with_name("kserve_session.py")
SCORES = [{"name": "scores", "shape": [1, 3], "data": [0.5, 1.5, -2.0]}]


@pytest.mark.slow
def test_all_that_the_client_can(served: Served) -> None:
    try:
        python = toolbox.installed(REQUIREMENTS) / "python"
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"kserve cannot be installed: {error!s:.300}")
    printed = toolbox.run(str(python), str(SESSION), f"http://{served.url}", served.key, seconds=120)
    found = json.loads(printed.strip().splitlines()[-1])
    unknown = found["v2"].pop("unknown model")
    assert unknown.startswith("model 'nothing' has no alias 'prod', '404 ")
    answer = {"id": "7", "model": "scores", "outputs": SCORES}
    assert found == {
        "v1": {"live": True, "model ready": True, "predict": {"predictions": [[0.5, 1.5, -2.0]]}},
        "v2": {
            "live": True,
            "ready": True,
            "model ready": True,
            "unknown model ready": False,
            "json": answer | {"content-type": "application/json"},
            "binary": answer | {"content-type": "application/octet-stream"},
        },
    }
