"""What is asked of the model `mirror`, and whether the answer is what was sent."""

from typing import Any

import ml_dtypes
import numpy as np
from tritonclient import http

SHAPE = (2, 3)
ARRAYS: dict[str, tuple[str, Any]] = {
    "f": ("FP32", np.arange(6, dtype=np.float32).reshape(SHAPE) / 3),
    "h": ("FP16", np.arange(6, dtype=np.float16).reshape(SHAPE) / 3),
    "b": ("BF16", np.arange(6).astype(ml_dtypes.bfloat16).reshape(SHAPE)),
    "q": ("BOOL", np.array([[True, False, True], [False, True, False]])),
    "l": ("INT64", np.array([[-(2**63), -1, 0], [1, 2, 2**63 - 1]])),
    "t": ("BYTES", np.array([["", "ä", "b" * 300], ["\n", "0", '"']], dtype=object)),
    "s": ("FP64", np.array(0.1)),
}


def inputs(binary: bool, arrays: dict[str, tuple[str, Any]] = ARRAYS) -> list[Any]:
    made = []
    for name, (datatype, array) in arrays.items():
        tensor = http.InferInput(name, list(array.shape), datatype)
        # BF16 has no JSON form.
        tensor.set_data_from_numpy(array, binary_data=binary or datatype == "BF16")
        made.append(tensor)
    return made


def outputs(binary: bool) -> list[Any]:
    return [
        http.InferRequestedOutput(f"{name}_out", binary_data=binary or datatype == "BF16")
        for name, (datatype, _) in ARRAYS.items()
    ]


def check(result: Any, arrays: dict[str, tuple[str, Any]] = ARRAYS) -> None:
    for name, (datatype, sent) in arrays.items():
        found = result.as_numpy(f"{name}_out")
        assert found.shape == sent.shape, name
        if datatype == "BYTES":
            texts = [text.decode() if isinstance(text, bytes) else text for text in found.ravel()]
            assert texts == sent.ravel().tolist()
        else:
            assert found.astype(sent.dtype).tobytes() == sent.tobytes(), name
