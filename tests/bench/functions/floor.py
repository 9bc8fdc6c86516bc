"""No Lambda at all: a process that imports onnxruntime, opens a local model and runs it once."""

import sys

import numpy as np
import onnxruntime as ort

session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
declared = session.get_inputs()[0]
shape = [size if isinstance(size, int) else 1 for size in declared.shape]
session.run(
    None, {declared.name: np.zeros(shape, np.int64 if declared.type == "tensor(int64)" else np.float32)}
)
print("ok", flush=True)
