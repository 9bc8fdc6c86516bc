"""NVIDIA's `tritonclient[http]`, unchanged, over real HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tritonclient import http
from tritonclient.utils import InferenceServerException

from .conftest import Served
from .mirror import ARRAYS, check, inputs, outputs


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[Any]:
    client = http.InferenceServerClient(served.url)
    yield client
    client.close()


@pytest.mark.parametrize("answered", [True, False], ids=["binary-out", "json-out"])
@pytest.mark.parametrize("sent", [True, False], ids=["binary-in", "json-in"])
def test_infer(client: Any, served: Served, sent: bool, answered: bool) -> None:
    result = client.infer("mirror", inputs(sent), outputs=outputs(answered), headers=served.headers)
    check(result)
    response = result.get_response()
    assert (response["model_name"], response["model_version"]) == ("mirror", "1")
    assert "id" not in response


def test_infer_says_nothing_of_outputs(client: Any, served: Served) -> None:
    check(client.infer("mirror", inputs(True), headers=served.headers))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_compression_both_ways(client: Any, served: Served, encoding: str, binary: bool) -> None:
    result = client.infer(
        "mirror",
        inputs(binary),
        outputs=outputs(binary),
        headers=served.headers,
        request_compression_algorithm=encoding,
        response_compression_algorithm=encoding,
    )
    check(result)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_large_answers_are_compressed(client: Any, served: Served, encoding: str) -> None:
    x = http.InferInput("x", [1000, 3], "FP32")
    array = np.arange(3000, dtype=np.float32).reshape(1000, 3)
    x.set_data_from_numpy(array)
    result = client.infer("scores", [x], headers=served.headers, response_compression_algorithm=encoding)
    assert result.as_numpy("scores").tobytes() == array.tobytes()


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
@pytest.mark.parametrize("binary", [True, False])
def test_empty_tensors(client: Any, served: Served, shape: tuple[int, int], binary: bool) -> None:
    arrays = {
        name: (kind, array if name == "s" else np.zeros(shape, array.dtype))
        for name, (kind, array) in ARRAYS.items()
    }
    result = client.infer("mirror", inputs(True, arrays), outputs=outputs(binary), headers=served.headers)
    for name in set(ARRAYS) - {"s"}:
        assert result.get_output(f"{name}_out")["shape"] == list(shape)


def test_request_id_version_and_ignored_options(client: Any, served: Served) -> None:
    result = client.infer(
        "mirror",
        inputs(True),
        model_version="1",
        request_id="any-7",
        sequence_id=3,
        sequence_start=True,
        priority=1,
        timeout=1000,
        headers=served.headers,
        parameters={"mine": 1},
    )
    assert result.get_response()["id"] == "any-7"


def test_classification(client: Any, served: Served) -> None:
    x = http.InferInput("x", [2, 3], "FP32")
    x.set_data_from_numpy(np.array([[0.1, 0.7, 0.2], [3, 2, 1]], np.float32))
    for binary in (True, False):
        asked = http.InferRequestedOutput("scores", binary_data=binary, class_count=2)
        found = client.infer("scores", [x], outputs=[asked], headers=served.headers).as_numpy("scores")
        texts = [[text.decode() if isinstance(text, bytes) else text for text in row] for row in found]
        assert texts == [["0.700000:1:dog", "0.200000:2:cow"], ["3.000000:0:cat", "2.000000:1:dog"]]


def test_bf16_bytes(client: Any, served: Served) -> None:
    result = client.infer("mirror", inputs(True), outputs=outputs(True), headers=served.headers)
    assert result.get_output("b_out")["parameters"] == {"binary_data_size": 12}
    assert result.as_numpy("b_out").ravel().tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_health_and_metadata(client: Any, served: Served) -> None:
    headers = served.headers
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("mirror", headers=headers)
    assert client.is_model_ready("mirror", "1", headers=headers)
    assert not client.is_model_ready("mirror", "2", headers=headers)
    assert not client.is_model_ready("nothing", headers=headers)
    assert "binary_tensor_data" in client.get_server_metadata(headers=headers)["extensions"]
    metadata = client.get_model_metadata("scores", headers=headers)
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]
    config = client.get_model_config("scores", "1", headers=headers)
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 3]}]


def test_statistics(client: Any, served: Served) -> None:
    client.infer("mirror", inputs(True), headers=served.headers)
    for found in (
        client.get_inference_statistics(headers=served.headers),
        client.get_inference_statistics("mirror", headers=served.headers),
        client.get_inference_statistics("mirror", "1", headers=served.headers),
    ):
        row = next(row for row in found["model_stats"] if row["name"] == "mirror")
        assert (row["version"], row["inference_count"] >= 2) == ("1", True)
        assert row["inference_stats"]["success"]["ns"] > 0


def test_repository(client: Any, served: Served) -> None:
    index = client.get_model_repository_index(headers=served.headers)
    assert {"name": "mirror", "version": "1", "state": "READY", "reason": ""} in index
    client.load_model("mirror", headers=served.headers)
    client.unload_model("mirror", headers=served.headers)
    client.unload_model("mirror", headers=served.headers, unload_dependents=True)
    check(client.infer("mirror", inputs(True), headers=served.headers))
    with pytest.raises(InferenceServerException, match="load takes no parameters"):
        client.load_model("mirror", headers=served.headers, config=json.dumps({"max_batch_size": 8}))


@pytest.mark.parametrize(
    ("model", "change", "status", "message"),
    [
        ("nothing", {}, "404", "model 'nothing' has no alias 'prod'"),
        ("mirror", {"model_version": "9"}, "404", "model 'mirror' has no version 9"),
        ("mirror", {"inputs": []}, "400", '"inputs" must be a list of tensors'),
        ("mirror", {"outputs": [http.InferRequestedOutput("nope")]}, "400", "no output 'nope'"),
        ("mirror", {"headers": {}}, "401", "key"),
    ],
)
def test_errors(client: Any, served: Served, model: str, change: Any, status: str, message: str) -> None:
    arguments = {"inputs": inputs(True), "headers": served.headers} | change
    with pytest.raises(InferenceServerException, match=message) as caught:
        client.infer(model, **arguments)
    assert caught.value.status() == status


def test_shared_memory_is_not_offered(client: Any, served: Served) -> None:
    shared = http.InferInput("x", [1, 3], "FP32")
    shared.set_shared_memory("region", 12)
    with pytest.raises(InferenceServerException, match="there is no shared memory") as caught:
        client.infer("scores", [shared], headers=served.headers)
    assert caught.value.status() == "501"


def test_many_at_once(served: Served) -> None:
    client = http.InferenceServerClient(served.url, concurrency=4)
    requests = [client.async_infer("mirror", inputs(True), headers=served.headers) for _ in range(8)]
    for request in requests:
        check(request.get_result())
    client.close()
