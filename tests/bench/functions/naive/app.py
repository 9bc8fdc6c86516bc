"""The usual function: FastAPI + Mangum + boto3 + onnxruntime, as tutorials write it.

Endpoints are plain `def`s, as FastAPI advises for code that computes.
"""

import os
from pathlib import Path
from typing import Annotated

import boto3
import numpy as np
import onnxruntime as ort
from fastapi import Body, FastAPI, Request, Response
from mangum import Mangum
from pydantic import BaseModel

PATH = f"/tmp/{os.environ['MODEL_KEY'].replace('/', '-')}-{os.getpid()}"

boto3.client("s3").download_file(os.environ["MODEL_BUCKET"], os.environ["MODEL_KEY"], PATH)
session = ort.InferenceSession(PATH, providers=["CPUExecutionProvider"])
Path(PATH).unlink()
declared = session.get_inputs()[0]
dtype = {"tensor(int64)": np.int64, "tensor(string)": object}.get(declared.type, np.float32)

app = FastAPI()


class PredictRequest(BaseModel):
    """Rows of numbers, nested as the model's input is."""

    instances: list


@app.post("/predict")
def predict(request: PredictRequest):
    outputs = session.run(None, {declared.name: np.array(request.instances, dtype=dtype)})
    return {"predictions": outputs[0].tolist()}


@app.post("/predict-binary")
def predict_binary(request: Request, body: Annotated[bytes, Body(media_type="application/octet-stream")]):
    shape = [int(size) for size in request.headers["x-shape"].split(",")]
    outputs = session.run(None, {declared.name: np.frombuffer(body, dtype).reshape(shape)})
    return Response(outputs[0].tobytes(), media_type="application/octet-stream")


handler = Mangum(app, lifespan="off")
