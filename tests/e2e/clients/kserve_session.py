"""Runs in KServe's own environment: asks a deployment all that its client can; prints the answers as JSON.

python kserve_session.py URL KEY
"""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferOutput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

VALUES = np.array([[0.5, 1.5, -2.0]], np.float32)


def asked(binary: bool) -> InferRequest:
    x = InferInput("x", [1, 3], "FP32")
    x.set_data_from_numpy(VALUES, binary_data=binary)
    return InferRequest(
        model_name="scores",
        infer_inputs=[x],
        request_id="7",
        request_outputs=[RequestedOutput("scores", {"binary_data": binary})],
    )


def read(output: InferOutput) -> dict[str, Any]:
    values = output.as_numpy()
    return {"name": output.name, "shape": list(values.shape), "data": values.ravel().tolist()}


async def v2(url: str, headers: dict[str, str]) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        found: dict[str, Any] = {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model ready": await client.is_model_ready(url, "scores", headers=headers),
            "unknown model ready": await client.is_model_ready(url, "nothing", headers=headers),
        }
        for binary in (False, True):
            received: dict[str, str] = {}
            answer = await client.infer(
                url, asked(binary), "scores", headers=dict(headers), response_headers=received
            )
            found["binary" if binary else "json"] = {
                "id": answer.id,
                "model": answer.model_name,
                "outputs": [read(output) for output in answer.outputs],
                "content-type": received["content-type"],
            }
        try:
            await client.infer(url, asked(False), "nothing", headers=headers)
        except httpx.HTTPStatusError as error:
            found["unknown model"] = str(error)
        return found


async def v1(url: str, headers: dict[str, str]) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
        return {
            "live": await client.is_server_live(url),
            "model ready": await client.is_model_ready(url, "scores", headers=headers),
            "predict": await client.infer(url, {"instances": VALUES.tolist()}, "scores", headers=headers),
        }


async def main(url: str, key: str) -> None:
    headers = {"x-api-key": key}
    print(json.dumps({"v1": await v1(url, headers), "v2": await v2(url, headers)}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
