"""A warm function: what its handler adds to the bare run of the model."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import events, packages
from .cold import FUNCTIONS
from .world import MEMORY_MB, World, raw_key

PROBE = Path(__file__).parent / "probes" / "warm.py"
PROBE_SECONDS = 120


def overheads(
    world: World,
    package: packages.Package,
    name: str,
    calls: int,
    rounds: int,
    tick: Callable[[], None],
    *,
    binary: bool,
) -> dict[str, list[float]]:
    """Milliseconds beyond the bare run for `ours` and `naive`; one median a round, the two by turns."""
    model = world.models[name]
    kinds = {
        "ours": (
            package.function,
            package.python,
            {"COLDPRESS_STORE": world.url, "COLDPRESS_ORT_LIBRARY": str(package.library)},
            events.ours(world, model, binary=binary),
        ),
        "naive": (
            FUNCTIONS / "naive",
            packages.peer("naive"),
            {"MODEL_BUCKET": world.bucket, "MODEL_KEY": raw_key(name)},
            events.peers(model, binary=binary),
        ),
    }
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, (folder, path, variables, event) in kinds.items():
            paths = [path, packages.runtime()]
            found[kind].append(_probe(kind, folder, paths, world.variables | variables, event, calls))
            tick()
    return found


def _probe(
    kind: str, folder: Path, paths: list[Path], variables: dict[str, str], event: bytes, calls: int
) -> float:
    with tempfile.TemporaryDirectory(prefix="coldpress-bench-") as scratch:
        event_path, result = Path(scratch) / "event", Path(scratch) / "result"
        event_path.write_bytes(event)
        environment = variables | {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, [folder, *paths])),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
        }
        # To a file, as a pipe that nobody reads would fill up.
        with (Path(scratch) / "output").open("wb") as output:
            subprocess.run(
                [str(packages.interpreter()), str(PROBE), kind, str(event_path), str(result), str(calls)],
                env=environment, stdout=output, check=True, timeout=PROBE_SECONDS,
            )  # fmt: skip
        medians = json.loads(result.read_text())
    return float(medians["handler"] - medians["bare"])
