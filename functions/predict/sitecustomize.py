"""Begins to open ONNX Runtime before the Lambda runtime's own modules are imported.

Python imports a module of this name as soon as it starts, wherever PYTHONPATH has its folder first: see the
template. The 17 ms that ONNX Runtime takes then pass beside the 13 ms of Lambda's imports, on the other CPU.
Without it, or should it fail, `app` does the same, later.
"""

import gc
import os

# What is made from here on stays: looking through it for garbage takes 2 ms. `app` enables it again.
gc.disable()

from coldpress import engine  # noqa: E402

engine.begin(os.environ.get("COLDPRESS_ORT_LIBRARY", ""))
