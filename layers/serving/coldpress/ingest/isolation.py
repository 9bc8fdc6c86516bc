"""Starts a trial in a process of its own, and reads what its end means."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from coldpress.errors import Internal
from coldpress.ingest import trial
from coldpress.ingest.refusal import Refused
from coldpress.settings import Settings

GRACE_SECONDS = 10.0
"""The trial stops itself between two operators of the graph; one that is inside a long operator is killed."""

# Signals that end a process for what it did itself. Others come from outside: a later try may do better.
CRASHES = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV"}
KILLED = 9


def run_trial(
    folder: str, settings: Settings, warmup: dict[str, Any] | None, seconds: float
) -> dict[str, Any]:
    """What `Trial.run` found of the model in `folder`, within `seconds`.

    Raises:
        Refused: by the trial, or because the model crashed it, filled the memory or never came to an end.
        Internal: the trial failed for a reason that lies on this side.
    """
    config = settings._replace(upload_secret="")._asdict()
    task = {"folder": folder, "seconds": seconds, "settings": config, "warmup": warmup}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", trial.__name__],
            input=json.dumps(task).encode(),
            # Lambda's layers are on sys.path by its bootstrap, not by the environment alone.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            cwd=folder,
            timeout=seconds + GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"it could not be opened and run within {seconds:.0f} s") from None
    if done.returncode:
        raise _why_ended(-done.returncode, settings.memory_mb)
    result: dict[str, Any] = json.loads((Path(folder) / trial.RESULT).read_text())
    if "refused" in result:
        raise Refused(result["refused"])
    return result


def _why_ended(signal: int, memory_mb: int) -> Exception:
    if signal in CRASHES:
        return Refused(f"ONNX Runtime crashed while it opened or ran the model ({CRASHES[signal]})")
    if signal == KILLED:
        memory = f"the function's {memory_mb} MB" if memory_mb else "this machine's memory"
        return Refused(
            f"opening or running the model was killed, most likely because it needs more than {memory}"
        )
    return Internal("the trial of the model ended early; the log has its error")
