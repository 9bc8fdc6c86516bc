"""The careful function: Powertools' resolver + boto3 + onnxruntime, without FastAPI."""

import os
from pathlib import Path

import boto3
import numpy as np
import onnxruntime as ort
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

PATH = f"/tmp/{os.environ['MODEL_KEY'].replace('/', '-')}-{os.getpid()}"

boto3.client("s3").download_file(os.environ["MODEL_BUCKET"], os.environ["MODEL_KEY"], PATH)
session = ort.InferenceSession(PATH, providers=["CPUExecutionProvider"])
Path(PATH).unlink()
declared = session.get_inputs()[0]
dtype = {"tensor(int64)": np.int64, "tensor(string)": object}.get(declared.type, np.float32)

app = APIGatewayHttpResolver()


@app.post("/predict")
def predict():
    instances = np.array(app.current_event.json_body["instances"], dtype=dtype)
    return {"predictions": session.run(None, {declared.name: instances})[0].tolist()}


def handler(event, context):
    return app.resolve(event, context)
