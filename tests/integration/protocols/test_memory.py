"""Whatever runs out of memory, ONNX Runtime or Python, the caller is told and the process goes on."""

import json
import subprocess
import sys
from pathlib import Path

from .conftest import World, model


def test_answers_that_do_not_fit_into_memory(world: World) -> None:
    world.add("repeat", model("g (int64[r] to) => (float[n] y) { y = ConstantOfShape (to) }"))
    script = Path(__file__).with_name("memory_session.py")
    done = subprocess.run(
        [sys.executable, str(script), world.store.url, world.key],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    statuses = json.loads(done.stdout.strip().splitlines()[-1])
    assert set(statuses) == {200, 413}
    assert statuses[-1] == 200
    lines = [json.loads(line) for line in done.stdout.splitlines()[:-1]]
    reasons = {line.get("error", "").partition(":")[0].partition(";")[0] for line in lines}
    # Python's own end of memory, and no other test's.
    assert "the request or its answer needs more memory than there is" in reasons
