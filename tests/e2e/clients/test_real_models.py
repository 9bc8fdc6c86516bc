"""Models that nobody here trained, as published by others: served, they answer as plain onnxruntime does."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tritonclient import http

from ...support.packaged import PackagedModel, file_of
from ..targets.deployment import Deployment

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)


def image(*shape: int) -> dict[str, Any]:
    return {"": RNG.random(shape, np.float32) * 2 - 1}


OCR = ("rapidocr-onnxruntime", "1.4.4")
MODELS: dict[str, tuple[PackagedModel, list[dict[str, Any]]]] = {
    # Bytes of a file -> its type.
    "magika": (
        PackagedModel(
            "magika",
            "1.0.3",
            "magika/models/standard_v3_3/model.onnx",
            "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        ),
        [{"": RNG.integers(0, 257, (rows, 2048), np.int32)} for rows in (1, 3)],
    ),
    "text-detection": (
        PackagedModel(
            *OCR,
            "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        ),
        [image(1, 3, 64, 64), image(1, 3, 96, 160)],
    ),
    "text-recognition": (
        PackagedModel(
            *OCR,
            "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
            "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
        ),
        [image(1, 3, 48, 96), image(2, 3, 48, 64)],
    ),
    "text-direction": (
        PackagedModel(
            *OCR,
            "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        ),
        [image(1, 3, 48, 192), image(6, 3, 48, 192)],
    ),
    # Declares an output of two dimensions and answers three.
    "captcha": (
        PackagedModel(
            "ddddocr",
            "1.6.1",
            "ddddocr/common.onnx",
            "33b5cd351ee94e73a6bf8fa18c415ed8b819b3ffd342e267c30d8ad8334e34e8",
        ),
        [image(1, 1, 64, 128), image(1, 1, 64, 200)],
    ),
}
SILERO = PackagedModel(
    "silero-vad",
    "6.2.3",
    "silero_vad/data/silero_vad.onnx",
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
)


class Pair:
    """A model published and the same file in plain onnxruntime."""

    def __init__(self, deployment: Deployment, name: str, path: Path) -> None:
        published = deployment.publish(name, path)
        assert published.returncode == 0, published.stdout + published.stderr
        self._name, self._key = name, deployment.key
        self._client = http.InferenceServerClient(deployment.url.removeprefix("http://"), network_timeout=60)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options)
        self.names = [output.name for output in self._session.get_outputs()]

    def agree(self, **arrays: Any) -> dict[str, Any]:
        """The outputs, which are the same to the byte. The name "" is the only input's."""
        feeds = {name or self._session.get_inputs()[0].name: array for name, array in arrays.items()}
        inputs = []
        for name, array in feeds.items():
            tensor = http.InferInput(
                name, list(array.shape), {"f": "FP32", "i": f"INT{array.itemsize * 8}"}[array.dtype.kind]
            )
            inputs.append(tensor.set_data_from_numpy(array))
        answer = self._client.infer(self._name, inputs, headers={"x-api-key": self._key})
        expected = dict(zip(self.names, self._session.run(None, feeds), strict=True))
        found = {name: answer.as_numpy(name) for name in self.names}
        for name, array in expected.items():
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            assert found[name].tobytes() == array.tobytes(), np.abs(found[name] - array).max()
        return found

    def close(self) -> None:
        self._client.close()


def fetched(model: PackagedModel) -> Path:
    try:
        return file_of(model)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{model.package} {model.version} cannot be downloaded: {error!s:.300}")


@pytest.mark.parametrize("name", MODELS)
def test_the_same_to_the_byte(deployment: Deployment, name: str) -> None:
    model, questions = MODELS[name]
    pair = Pair(deployment, name, fetched(model))
    for question in questions:
        pair.agree(**question)
    pair.close()


def test_a_state_goes_in_and_comes_out(deployment: Deployment) -> None:
    pair = Pair(deployment, "speech", fetched(SILERO))
    state = np.zeros((2, 1, 128), np.float32)
    for _ in range(3):
        sound = RNG.random((1, 576), np.float32) - 0.5
        state = pair.agree(input=sound, state=state, sr=np.array(16000))["stateN"]
    assert np.abs(state).max() > 0
    pair.close()
