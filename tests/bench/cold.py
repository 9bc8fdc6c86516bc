"""Fresh processes, interleaved: from the spawn of an execution environment to its first 200."""

import json
import os
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from coldpress_ops.local.environments import Environment

from . import events, packages
from .world import MEMORY_MB, MEMORY_OF, World, raw_key

FUNCTIONS = Path(__file__).parent / "functions"
START_SECONDS = 60.0

Start = Callable[[], float]
"""Starts a process, waits for its first answer, ends it; the seconds from the spawn to the answer."""


@dataclass(frozen=True)
class Sample:
    """One start. Both in milliseconds; `cpu` of the whole process, user and system."""

    wall: float
    cpu: float


def measured(
    starts: Mapping[str, Start],
    runs: int,
    tick: Callable[[], None],
    before: Callable[[], None] = lambda: None,
) -> dict[str, list[Sample]]:
    """`runs` samples of each start, in a new order each round.

    `before` is called before each one, outside of the time that is measured.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in starts}
    order = random.Random(1)  # noqa: S311 - the same orders in every run
    names = list(starts)
    for round_number in range(runs + 1):
        order.shuffle(names)
        for name in names:
            before()
            cpu = _cpu_of_children()
            wall = starts[name]()
            # The first round fills the page cache.
            if round_number:
                samples[name].append(Sample(wall * 1000, (_cpu_of_children() - cpu) * 1000))
            tick()
    return samples


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def noop() -> Start:
    """A function that does nothing."""
    return _function(FUNCTIONS / "noop", {}, b"{}", [])


def ours(world: World, package: packages.Package, name: str, *, binary: bool = False) -> Start:
    """Our predict function, as it ships: the template's PYTHONPATH names its own folder too."""
    variables = {"COLDPRESS_STORE": world.url, "COLDPRESS_ORT_LIBRARY": str(package.library)}
    event = events.ours(world, world.models[name], binary=binary)
    memory = MEMORY_OF.get(name, MEMORY_MB)
    paths = [package.function, package.python]
    return _function(package.function, world.variables | variables, event, paths, memory)


def peer(world: World, kind: str, name: str, *, binary: bool = False) -> Start:
    """`naive` or `powertools`, in `functions/`."""
    variables = {"MODEL_BUCKET": world.bucket, "MODEL_KEY": raw_key(name)}
    event = events.peers(world.models[name], binary=binary)
    memory = MEMORY_OF.get(name, MEMORY_MB)
    folder = packages.peer(kind)
    return _function(FUNCTIONS / kind, world.variables | variables, event, [folder], memory)


def _function(
    folder: Path, variables: dict[str, str], event: bytes, paths: list[Path], memory_mb: int = MEMORY_MB
) -> Start:
    python = packages.interpreter()
    path = os.pathsep.join(map(str, [*paths, packages.runtime()]))
    variables = variables | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def start() -> float:
        # A disk of its own: on a new environment's there are no models of an earlier one.
        with tempfile.TemporaryDirectory(prefix="coldpress-bench-") as disk:
            began = time.monotonic()
            with Environment.start(
                folder,
                "app.handler",
                variables | {"TMPDIR": disk},
                python=(str(python),),
                memory_mb=memory_mb,
            ) as environment:
                environment.ready(START_SECONDS)
                answer = environment.invoke(event, START_SECONDS)
                took = time.monotonic() - began
        status = json.loads(answer)["statusCode"]
        if status != 200:
            raise RuntimeError(f"{folder.name} answered {answer[:500]!r}")
        return took

    return start


def bare_onnxruntime(model: Path) -> Start:
    """No Lambda at all: a process that imports onnxruntime and runs a local model once."""
    command = [str(packages.interpreter()), str(FUNCTIONS / "floor.py"), str(model)]
    environment = {"PYTHONPATH": str(packages.peer("onnxruntime")), "PATH": os.environ["PATH"]}

    def start() -> float:
        began = time.monotonic()
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            took = time.monotonic() - began
        if line != b"ok\n":
            raise RuntimeError(f"{command} answered {line!r}")
        return took

    return start
