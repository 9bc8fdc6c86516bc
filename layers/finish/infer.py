"""Lets the built ONNX Runtime add two numbers: infer.py LIBRARY-FOLDER FOLDER-OF-COLDPRESS.

That it loads is not enough: releases for arm64 have loaded on one CPU and aborted on Lambda's.
"""

import base64
import struct
import sys
from pathlib import Path

# y = x + x; IR 9, opset 20.
MODEL = base64.b64decode(
    "CAk6NwoOCgF4CgF4EgF5IgNBZGQSAWdaEAoBeBILCgkIARIFCgMSAW5iEAoBeRILCgkIARIFCgMSAW5CBAoAEBQ="
)


def infer(folder: Path) -> tuple[float, ...]:
    """1.5 and -2, doubled."""
    from coldpress.ort import Library, Session
    from coldpress.tensors import Tensor

    (library,) = folder.glob("libonnxruntime.so.*")
    with Session.open(Library.open(str(library)), MODEL) as session:
        (answer,) = session.run([Tensor("x", "FP32", (2,), struct.pack("<2f", 1.5, -2))])
    return struct.unpack("<2f", bytes(answer.data))


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])
    answered = infer(Path(sys.argv[1]))
    if answered != (3.0, -4.0):
        sys.exit(f"onnxruntime: 1.5 and -2, doubled, came out as {answered}")
