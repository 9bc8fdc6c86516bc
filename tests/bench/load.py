"""A large model: from the store until it is ready, and the memory that takes."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import packages
from .world import World

PROBE = Path(__file__).parent / "probes" / "load.py"
PROBE_SECONDS = 120


@dataclass(frozen=True)
class Loads:
    """Seconds of each run, and of the opened model's process the peak of resident memory in bytes."""

    download: list[float]
    ready: list[float]
    peak: list[float]
    model_bytes: int


def measured(
    world: World, package: packages.Package, name: str, runs: int, tick: Callable[[], None]
) -> Loads:
    """Downloads and complete openings of a model by turns, each in a fresh process."""
    found: dict[str, list[dict[str, float]]] = {"download": [], "open": []}
    for _ in range(runs):
        for what, rows in found.items():
            rows.append(_probe(world, package, name, what))
            tick()
    return Loads(
        [row["seconds"] for row in found["download"]],
        [row["seconds"] for row in found["open"]],
        [row["peak"] for row in found["open"]],
        int(found["open"][0]["bytes"]),
    )


def _probe(world: World, package: packages.Package, name: str, what: str) -> dict[str, float]:
    variables = world.variables | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(package.python),
        "COLDPRESS_STORE": world.url,
        "COLDPRESS_ORT_LIBRARY": str(package.library),
    }
    # A disk of its own: there is no model on it yet.
    with tempfile.TemporaryDirectory(prefix="coldpress-bench-") as disk:
        done = subprocess.run(
            [str(packages.interpreter()), str(PROBE), name, what],
            env=variables | {"TMPDIR": disk}, stdout=subprocess.PIPE, check=True, timeout=PROBE_SECONDS,
        )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found
