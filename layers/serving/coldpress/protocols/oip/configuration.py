"""A model's configuration in Triton's form, built from the manifest.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_configuration.md
"""

from coldpress.registry import Manifest, TensorInfo
from coldpress.typed import Any

_SPECIAL = {"BYTES": "TYPE_STRING"}


def model_configuration(manifest: Manifest) -> dict[str, Any]:
    """`GET /v2/models/{m}/config`.

    `max_batch_size` is 0: shapes are given whole, with the batch dimension in them.
    """
    return {
        "name": manifest.model,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [manifest.version]}},
        "max_batch_size": 0,
        "input": [_tensor(info) for info in manifest.inputs],
        "output": [_tensor(info) for info in manifest.outputs],
    }


def _tensor(info: TensorInfo) -> dict[str, Any]:
    data_type = _SPECIAL.get(info.datatype, f"TYPE_{info.datatype}")
    return {"name": info.name, "data_type": data_type, "dims": list(info.shape)}
