"""LitServe: the MLP behind /predict."""

import sys

import litserve
import numpy as np
import onnxruntime as ort


class Api(litserve.LitAPI):
    def setup(self, _device):
        self.session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        return np.array(request["instances"], dtype=np.float32)

    def predict(self, x):
        return self.session.run(None, {"x": x})[0]

    def encode_response(self, output):
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    litserve.LitServer(Api(), accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False
    )
