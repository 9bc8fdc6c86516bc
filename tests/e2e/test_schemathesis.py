"""The OpenAPI document against the server: what schemathesis makes of it is answered as it says."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import onnx_models
from .targets import local

EXAMPLES = 20
SECONDS = 240


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """A server of its own, with the model of the document's examples."""
    made = onnx_models.linear(1.0, labels='["cat", "dog", "cow"]')
    made.graph.output[0].name = made.graph.node[0].output[0] = "scores"
    folder = tmp_path_factory.mktemp("scores")
    path = folder / "scores.onnx"
    path.write_bytes(made.SerializeToString())
    with local.running(folder / "state") as deployment:
        published = deployment.publish("scores", path)
        assert published.returncode == 0, published.stderr
        yield deployment


def test_the_examples_are_answered(scores):
    answered = []
    for path, item in scores.http.get("/openapi.json").json()["paths"].items():
        body = item.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" not in body:
            continue
        answer = scores.http.post(path.format(model="scores", version=1, label="prod"), json=body["example"])
        # The model has three numbers a row, and none of them alone.
        assert answer.status_code == (400 if path.endswith(":regress") else 200), (path, answer.text)
        answered.append(path)
    assert len(answered) == 13


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed: pip install it"
)
def test_every_answer_is_as_documented(scores, tmp_path):
    # It looks for both, and leaves its caches, where it runs.
    for name in ("schemathesis.toml", "schemathesis_hooks.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("run", f"{scores.url}/openapi.json"),
            *("--header", f"x-api-key: {scores.key}"),
            *("--max-examples", str(EXAMPLES)),
            *("--no-color",),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
