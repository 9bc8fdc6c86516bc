"""Runs that are asked for again with tensors of the same kind: what they need is made once and used again.

Of a small model's run, most is the making of things for C: values, arrays, options. A plan keeps them, and
buffers of its own that the inputs' data is copied into. That pays up to some kilobytes; larger tensors are
read and answered where they lie (see `values`).
"""

from __future__ import annotations

from ctypes import POINTER, byref, c_int, c_int64, c_size_t, c_void_p, string_at

from coldpress.ort.values import Inputs, Value, read_tensor
from coldpress.tensors import BY_ONNX, DATATYPES, Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from coldpress.ort.deadline import Stopper
    from coldpress.ort.library import Library

MAX_BYTES = 64 << 10
"""Of a plan's inputs together, and of an output that is copied."""

# A BOOL's bytes have to be looked at each time, a string has to be made.
_PLAIN = frozenset(DATATYPES) - {"BOOL", "BYTES"}


def is_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether there can be a plan for tensors of this kind: numbers, neither none nor many."""
    sizes = [memoryview(t.data).nbytes if t.datatype in _PLAIN else 0 for t in tensors]  # type: ignore[arg-type]
    return all(sizes) and sum(sizes) <= MAX_BYTES


class Plan:
    """A session's run with inputs of given names, datatypes and shapes, which `match` has passed before.

    Not for two threads at once. It keeps the native session alive.
    """

    __slots__ = (
        "_arguments",
        "_buffers",
        "_data",
        "_data_reference",
        "_found",
        "_get_data",
        "_get_shape",
        "_library",
        "_names",
        "_native",
        "_nothing",
        "_onnx",
        "_output",
        "_pointer",
        "_rank",
        "_references",
        "_release",
        "_run",
        "_sizes",
        "_stopper",
        "_values",
    )

    def __init__(
        self,
        library: Library,
        native: Any,
        tensors: Sequence[Tensor],
        in_names: Any,
        names: Sequence[str],
        out_names: Any,
    ) -> None:
        """`native` owns the session. The arrays for C are in the order of `tensors` and of `names`."""
        self._library = library
        self._native = native
        self._values = Inputs(library)
        self._buffers = {t.name: bytearray(memoryview(t.data).nbytes) for t in tensors}  # type: ignore[arg-type]
        pointers = [
            self._values.add(Tensor(t.name, t.datatype, t.shape, self._buffers[t.name])) for t in tensors
        ]
        self._names = names
        self._nothing: list[c_void_p | int | None] = [None] * len(names)
        self._found = (c_void_p * len(names))()
        self._stopper: Stopper | None = None
        self._run = library.api.bare("Run")
        self._pointer = c_void_p(native.pointer)
        self._arguments = (
            in_names,
            (c_void_p * len(pointers))(*pointers),
            c_size_t(len(pointers)),
            out_names,
            c_size_t(len(names)),
            self._found,
        )
        self._get_shape = library.api.bare("GetTensorElementTypeAndShapeDataReference")
        self._get_data = library.api.bare("GetTensorMutableData")
        # What those two answer.
        self._onnx, self._sizes, self._rank, self._data = c_int(), POINTER(c_int64)(), c_size_t(), c_void_p()
        self._references = byref(self._onnx), byref(self._sizes), byref(self._rank)
        self._data_reference = byref(self._data)
        self._output = c_void_p()
        self._release = library.api.ReleaseValue

    def __call__(self, tensors: Sequence[Tensor], deadline: float | None) -> list[Tensor]:
        """The outputs, as `Session.run` gives them, and raises.

        Also raises:
            BufferError: data of another size than its shape's; nothing was run. The same for TypeError.
        """
        for tensor in tensors:
            if type(tensor.data) is list:
                raise TypeError("a list is no buffer")
            # A copy; the buffer is pinned, so it refuses to take another size.
            self._buffers[tensor.name][:] = tensor.data  # type: ignore[assignment]
        if deadline is None:
            self._execute(None)
        else:
            if self._stopper is None:
                from coldpress.ort.deadline import Stopper  # imports threading

                self._stopper = Stopper(self._library.api)
            self._stopper.run_until(deadline, self._execute)
        # Each is freed when it has been read, or by whoever holds on to its memory.
        left = self._found[:]
        self._found[:] = self._nothing
        tensors = []
        try:
            for place, name in enumerate(self._names):
                if left[place]:
                    tensors.append(self._read(name, left, place))
        finally:
            for pointer in left:
                if pointer:
                    self._release(pointer)
        return tensors

    def _execute(self, options: c_void_p | None) -> None:
        status = self._run(self._pointer, options, *self._arguments)
        if status is not None:
            self._library.api.check(status)

    def _read(self, name: str, left: list[int | None], place: int) -> Tensor:
        pointer = self._output
        pointer.value = left[place]
        status = self._get_shape(pointer, *self._references)
        if status is not None:
            self._library.api.check(status)
        row = BY_ONNX.get(self._onnx.value)
        shape = tuple(self._sizes[: self._rank.value])
        nbytes = row.size if row else 0
        for size in shape:
            nbytes *= size
        if row is None or not 0 < nbytes <= MAX_BYTES:
            value = Value(self._library.api, pointer.value or 0, self._native)
            left[place] = None
            return read_tensor(self._library, self._values, name, value)
        status = self._get_data(pointer, self._data_reference)
        if status is not None:
            self._library.api.check(status)
        return Tensor(name, row.name, shape, string_at(self._data, nbytes))
