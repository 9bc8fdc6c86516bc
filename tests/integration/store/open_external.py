"""Run by test_external: opens a version twice and prints what that took and answered, as JSON."""

import hashlib
import json
import sys
from pathlib import Path
from struct import pack

from coldpress.opening import Opener
from coldpress.registry import Manifest
from coldpress.settings import Settings
from coldpress.store import Store
from coldpress.telemetry import Trace
from coldpress.tensors import Tensor


def resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


url, width, manifest = sys.argv[1], int(sys.argv[2]), Manifest.from_json(json.loads(sys.argv[3]))
store = Store(url)
reads: list[str] = []
read_range = store._read_range


def noting(key: str, start: int, into: memoryview) -> int:
    reads.append(key)
    return read_range(key, start, into)


store._read_range = noting  # type: ignore[method-assign]
opener = Opener(store, Settings(store=url, memory_mb=1769))
opener.library()
before = resident("VmRSS")
trace = Trace()
model = opener.open(manifest, trace)
peak = resident("VmHWM")
first = len(reads)
x = Tensor("x", "FP32", (1, width), pack(f"<{width}f", *[n / width for n in range(width)]))
(y,) = model.session.run([x])
answer = hashlib.sha256(bytes(y.data)).hexdigest()  # type: ignore[arg-type]
del y
model.session.close()
opener.open(manifest, Trace())
print(
    json.dumps(
        {
            "answer": answer,
            "grown": peak - before,
            "reads": [first, len(reads) - first],
            "failed": trace.fields.get("artifact_failed", ""),
        }
    )
)
