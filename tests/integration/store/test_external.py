"""Large models: opened from the disk, in little memory, verified, and there again for the next process."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from coldpress import external, ort
from coldpress.disk import FOLDER
from coldpress.errors import Internal
from coldpress.ingest import optimise
from coldpress.loading import load
from coldpress.registry import Artifact, Manifest
from coldpress.settings import Settings
from coldpress.store import Store
from coldpress.tensors import Tensor

SCRIPT = Path(__file__).parent / "open_external.py"
WIDTH, LAYERS = 1024, 12
KEY = f"models/large/versions/1/{external.NAME}"


class Large(NamedTuple):
    """A model that is mostly matrix products: 50 MB."""

    onnx: Path
    file: Path
    artifact: Artifact
    answer: str

    def manifest(self, **changes: Any) -> str:
        artifacts = (self.artifact._replace(**changes),)
        return json.dumps(Manifest("large", 1, "", artifacts, (), (), "").to_json())


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Large:
    folder = tmp_path_factory.mktemp("large")
    random = np.random.default_rng(1)
    names = [f"w{number}" for number in range(LAYERS)]
    weights = [
        numpy_helper.from_array(random.standard_normal((WIDTH, WIDTH), np.float32) / np.float32(32), name)
        for name in names
    ]
    nodes = [
        helper.make_node("MatMul", [f"v{n}" if n else "x", name], [f"v{n + 1}"])
        for n, name in enumerate(names)
    ]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info(f"v{LAYERS}", TensorProto.FLOAT, ["n", WIDTH])],
        weights,
    )
    source, target = folder / "model.onnx", folder / external.NAME
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), source)
    x = (np.arange(WIDTH, dtype=np.float64) / WIDTH).astype(np.float32)[None]
    (expected,) = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    library = ort.Library.open(ort.library_path())

    def ask(session: ort.Session) -> optimise.Answers:
        (y,) = session.run([Tensor("x", "FP32", x.shape, x.tobytes())])
        return [[Tensor(y.name, y.datatype, y.shape, bytes(y.data))]]  # type: ignore[arg-type]

    reference = [[Tensor(f"v{LAYERS}", "FP32", (1, WIDTH), expected.tobytes())]]
    assert optimise.verified(library, str(source), str(target), 1, reference, ask) == ""
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    artifact = Artifact(KEY, target.stat().st_size, digest, "external", optimised=True)
    return Large(source, target, artifact, hashlib.sha256(expected.tobytes()).hexdigest())


def opened(url: str, manifest: str, disk: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as a function is."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), url, str(WIDTH), manifest],
        env=os.environ | {"TMPDIR": str(disk)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_form_goes_by_size() -> None:
    assert optimise.name_for(optimise.EXTERNAL_BYTES - 1) == "model.ort"
    assert optimise.name_for(optimise.EXTERNAL_BYTES) == external.NAME


def test_it_answers_the_same_in_little_memory_and_stays_on_the_disk(
    large: Large, s3_url: str, tmp_path: Path
) -> None:
    Store(s3_url).upload(KEY, str(large.file))
    done = opened(s3_url, large.manifest(), tmp_path)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)
    parts = -(-large.artifact.size // (8 << 20))
    assert (first["answer"], first["failed"], first["reads"]) == (large.answer, "", [parts, 0])
    # The packed weights, and not the stored ones too. In place it is 2.1 times the model's size.
    assert first["grown"] < 1.6 * large.artifact.size
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [large.artifact.sha256]
    # Another process in the same place asks the store for nothing.
    again = json.loads(opened(s3_url, large.manifest(), tmp_path).stdout)
    assert (again["answer"], again["reads"]) == (large.answer, [0, 0])


@pytest.mark.parametrize("damaged", ["weights", "graph", "length"])
def test_what_lies_on_the_disk_is_not_trusted(
    large: Large, s3_url: str, tmp_path: Path, damaged: str
) -> None:
    Store(s3_url).upload(KEY, str(large.file))
    path = tmp_path / FOLDER / large.artifact.sha256 / external.NAME
    path.parent.mkdir(0o700, parents=True)
    path.parents[1].chmod(0o700)
    path.write_bytes(large.file.read_bytes())
    end = large.artifact.size - external.LENGTH_BYTES
    places = {"weights": 1000, "graph": end - len(external.graph_of(str(path))), "length": end}
    with path.open("r+b") as file:
        file.seek(places[damaged])
        file.write(b"\xff" * external.LENGTH_BYTES)
    found = json.loads(opened(s3_url, large.manifest(), tmp_path).stdout)
    assert (found["answer"], found["failed"]) == (large.answer, "")
    assert found["reads"][0] > 0
    assert hashlib.sha256(path.read_bytes()).hexdigest() == large.artifact.sha256


def test_what_has_no_graph_in_the_store_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    store, artifact = Store("memory:///"), Artifact(KEY, 100, "0" * 64, "external", optimised=True)
    store.overwrite(KEY, b"\xff" * 100)
    with pytest.raises(Internal, match="does not end like a model"):
        load(store, Settings(store=store.url), artifact)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_download_that_is_taken_away_is_a_fault_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Internal, and so the portable file is tried.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    store, artifact = Store("memory:///"), Artifact(KEY, 100, "0" * 64, "external", optimised=True)
    store.overwrite(KEY, bytes(100))
    read_range = store._read_range

    def taking(key: str, start: int, into: memoryview) -> int:
        for path in (tmp_path / FOLDER).iterdir():
            shutil.rmtree(path)
        return read_range(key, start, into)

    monkeypatch.setattr(store, "_read_range", taking)
    with pytest.raises(Internal, match="/tmp cannot be used"):
        load(store, Settings(store=store.url), artifact)


def test_what_the_store_has_is_not_trusted_either(large: Large, s3_url: str, tmp_path: Path) -> None:
    Store(s3_url).upload(KEY, str(large.file))
    done = opened(s3_url, large.manifest(sha256="0" * 64), tmp_path)
    assert "it does not have the hash that was published; it is not served" in done.stderr
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_an_object_that_is_shorter_leaves_nothing_behind(large: Large, s3_url: str, tmp_path: Path) -> None:
    Store(s3_url).upload(KEY, str(large.file))
    done = opened(s3_url, large.manifest(size=large.artifact.size + 1), tmp_path)
    assert "is shorter than its manifest says" in done.stderr
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_in_a_folder_it_is_opened_where_it_lies(large: Large, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    Store(f"file://{tmp_path / 'store'}").upload(KEY, str(large.file))
    found = json.loads(opened(f"file://{tmp_path / 'store'}", large.manifest(), tmp_path).stdout)
    assert (found["answer"], found["reads"]) == (large.answer, [0, 0])
    assert not (tmp_path / FOLDER).exists()


def test_a_file_without_a_graph_is_told(tmp_path: Path) -> None:
    path = tmp_path / external.NAME
    for content in (b"", b"x", bytes(100), b"weights" + (8).to_bytes(8, "little")):
        path.write_bytes(content)
        with pytest.raises(Exception, match="does not end like a model with its graph behind the weights"):
            external.graph_of(str(path))
    external.join(str(path), b"graph")
    assert external.graph_of(str(path)) == b"graph"
