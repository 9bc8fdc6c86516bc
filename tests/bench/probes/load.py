"""Run with our layer: `python load.py MODEL download|open`: seconds and peak resident memory."""

import json
import os
import sys
import time
from pathlib import Path

from coldpress.serving import DataPlane
from coldpress.telemetry import Trace


def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


name, what = sys.argv[1:]
os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = "3008"
plane = DataPlane.from_environment()
plane.opener.library()
manifest = plane.resolver.manifest(name, "prod", 0, "")
(artifact, *_) = plane.opener.artifacts(manifest)
at = time.perf_counter()
if what == "download":
    kept = plane.store.fetch(artifact.key, artifact.size)
else:
    kept = plane.models.get(manifest, "prod", Trace())
print(json.dumps({"seconds": time.perf_counter() - at, "peak": peak(), "bytes": artifact.size}))
