"""BentoML: the MLP behind /predict."""

import os

import bentoml
import numpy as np
import onnxruntime as ort


@bentoml.service
class Mlp:
    def __init__(self) -> None:
        self.session = ort.InferenceSession(os.environ["MODEL"], providers=["CPUExecutionProvider"])

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> list[list[float]]:
        return self.session.run(None, {"x": np.array(instances, dtype=np.float32)})[0].tolist()
