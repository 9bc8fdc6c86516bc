"""A model as it will be served: opened by the same ONNX Runtime binding, with numpy arrays around it.

Every figure that decides what is published is measured through this, never through another runtime.
"""

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldpress import external, ort
from coldpress.errors import ColdpressError
from coldpress.ingest import optimise
from coldpress.loading import IN_PLACE
from coldpress.tensors import Tensor
from coldpress_build.errors import BuildError

Array = NDArray[Any]
"""Strings are arrays of `str` objects."""

DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    **{
        f"{sign}{bits}": np.dtype(f"{sign}{bits}".lower())
        for sign in ("INT", "UINT")
        for bits in (8, 16, 32, 64)
    },
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}


class ServedModel:
    """An opened model. `inputs` and `outputs` are its specs, `metadata` its own key-value pairs."""

    def __init__(self, session: ort.Session) -> None:
        self.inputs = session.inputs
        self.outputs = session.outputs
        self.metadata = session.metadata
        self._session = session

    @classmethod
    def open(cls, model: Path | bytes, threads: int = 1) -> "ServedModel":
        """Open a model from its file or its bytes.

        Raises:
            BuildError: it is no model that the serving runtime can open.
        """
        library = _library()
        source = str(model) if isinstance(model, Path) else model
        try:
            return cls(ort.Session.open(library, source, ort.SessionOptions(threads=threads)))
        except ColdpressError as error:
            name = model.name if isinstance(model, Path) else f"the model of {len(model)} bytes"
            raise BuildError(f"{name} cannot be opened by ONNX Runtime {library.version}: {error}") from error

    @classmethod
    def open_form(cls, form: "ServedForm", threads: int = 1) -> "ServedModel":
        """Open a model as the predict function does.

        Raises:
            BuildError: the serving runtime cannot open it.
        """
        if not form.optimised:
            return cls.open(form.file, threads)
        outside = form.file.name == optimise.EXTERNAL
        config = external.config(str(form.file)) if outside else IN_PLACE
        options = ort.SessionOptions(threads=threads, optimisation="none", config=config)
        if outside:
            model: bytes | mmap.mmap = external.graph_of(str(form.file))
        else:
            with form.file.open("rb") as file:
                model = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return cls(ort.Session.open(_library(), model, options))

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """One inference: arrays by input name -> arrays by output name.

        Raises:
            BuildError: the model does not take these arrays, or fails on them.
        """
        tensors = [tensor_of(name, array) for name, array in inputs.items()]
        try:
            answer = self._session.run(tensors, outputs)
        except ColdpressError as error:
            raise BuildError(f"the model does not run on these rows: {error}") from error
        return {tensor.name: array_of(tensor) for tensor in answer}


@dataclass(frozen=True)
class ServedForm:
    """The file that a function fetches and opens: optimised offline where that answers exactly as the model
    itself does, else the model itself, and `note` says why."""

    file: Path
    optimised: bool
    note: str


def served_form(model: Path, folder: Path, question: Mapping[str, Array], threads: int = 1) -> ServedForm:
    """What ingest will make of the file `model`, by ingest's own code; an optimised form goes into `folder`.

    `question` are inputs that the model runs on: both forms must answer them alike, byte for byte.
    """
    tensors = [tensor_of(name, array) for name, array in question.items()]

    def ask(session: ort.Session) -> optimise.Answers:
        # Copied: an output that is kept would keep its session's memory.
        return [
            [
                Tensor(t.name, t.datatype, t.shape, t.data if isinstance(t.data, list) else bytes(t.data))
                for t in session.run(tensors)
            ]
        ]

    library = _library()
    folder.mkdir(exist_ok=True)
    target = folder / optimise.name_for(model.stat().st_size)
    with ort.Session.open(library, str(model), ort.SessionOptions(threads=threads)) as session:
        expected = ask(session)
    note = optimise.verified(library, str(model), str(target), threads, expected, ask)
    return ServedForm(model if note else target, not note, note)


def _library() -> ort.Library:
    return ort.Library.open(ort.library_path())


def tensor_of(name: str, array: Array) -> Tensor:
    """The tensor of an array.

    Raises:
        BuildError: its type has no place in the serving runtime's table.
    """
    if array.dtype == object or array.dtype.kind == "U":
        return Tensor(name, "BYTES", array.shape, [str(item).encode() for item in array.ravel().tolist()])
    for datatype, dtype in DTYPES.items():
        if array.dtype == dtype:
            return Tensor(name, datatype, array.shape, np.ascontiguousarray(array).data)
    raise BuildError(f"{name} is of the type {array.dtype}; a model takes {', '.join(DTYPES)} and strings")


def array_of(tensor: Tensor) -> Array:
    """The array of a tensor; numbers are a view of the tensor's memory.

    Raises:
        BuildError: a type that numpy does not have.
    """
    if isinstance(tensor.data, list):
        return np.array([item.decode("utf-8", "replace") for item in tensor.data], object).reshape(
            tensor.shape
        )
    if tensor.datatype not in DTYPES:
        raise BuildError(
            f"{tensor.name} is {tensor.datatype}, which numpy has not; cast it in the graph to FP32"
        )
    found: Array = np.frombuffer(memoryview(tensor.data), DTYPES[tensor.datatype]).reshape(tensor.shape)
    return found
