"""What a server and its models say of themselves: `GET /v2…`."""

from coldpress import __version__
from coldpress.registry import Manifest
from coldpress.typed import Any

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)
PLATFORM = "onnxruntime_onnx"


def server() -> dict[str, Any]:
    """`GET /v2`: only the extensions that work are listed."""
    return {"name": "coldpress", "version": __version__, "extensions": list(EXTENSIONS)}


def model(manifest: Manifest, versions: list[int]) -> dict[str, Any]:
    """`GET /v2/models/{m}`; -1 stands for a variable dimension."""
    return {
        "name": manifest.model,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": [info._asdict() for info in manifest.inputs],
        "outputs": [info._asdict() for info in manifest.outputs],
    }


def ready(manifest: Manifest) -> dict[str, Any]:
    """`GET /v2/models/{m}/ready`, when it would answer."""
    return {"name": manifest.model, "ready": True}
