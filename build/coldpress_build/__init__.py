"""What runs on GPU batch jobs and on a developer's machine: train, evaluate, export, press, report.

data             where rows come from, and how they are divided
text             one description of a tokeniser, as Python and as an ONNX graph
recipes          what can be trained, by name
training         how a network is fitted: optimisers, checkpoints, many processes; `engine` is its surface
crossvalidation  the figures of several divisions of the data
sweep            settings found by trials
evaluation       how good answers are, with intervals
export           a trained network -> one ONNX graph from raw input to labels or a value
press            smaller candidates of a model, measured in the serving runtime, under a gate
report           what came out, as JSON and one HTML page
pipeline         all of it in order
job              the same as a job on AWS Batch, or as a process
"""

import os
from pathlib import Path

# Both are read while other packages are imported, so this is the only place that is early enough.
# onnxruntime's Linux wheels send usage data otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# matplotlib, which torchmetrics imports, writes a list of fonts: into our cache, not into the home folder.
os.environ.setdefault(
    "MPLCONFIGDIR",
    str(Path(os.environ.get("COLDPRESS_CACHE") or Path.home() / ".cache" / "coldpress") / "matplotlib"),
)
