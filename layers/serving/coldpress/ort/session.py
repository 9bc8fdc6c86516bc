"""A model, opened and run."""

from __future__ import annotations

import sys
from ctypes import byref, c_char_p, c_void_p

from coldpress.errors import InvalidRequest, Unavailable
from coldpress.ort.buffers import Pin
from coldpress.ort.failures import OrtError, run_error
from coldpress.ort.graph import read_inputs, read_metadata, read_outputs
from coldpress.ort.options import SessionOptions, text
from coldpress.ort.specs import match, names_of
from coldpress.ort.values import Inputs, Value, read_tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from coldpress.ort.api import Api
    from coldpress.ort.library import Library
    from coldpress.ort.plan import Plan
    from coldpress.tensors import Tensor

    Key = tuple[tuple[tuple[str, str, tuple[int, ...]], ...], tuple[str, ...]]

MAX_KINDS = 16
"""Kinds of inputs that a session remembers; where more come, the first ones are forgotten."""
UNPLANNED = 2
"""Runs of a kind before there is a plan for it: the warm-up and the cold request have no use for one."""


class _Native:
    """Owns an OrtSession and the model bytes that it reads in place.

    The Session holds it, each run while it lasts, and each output, whose memory may be one of the model's
    constants: the last of them frees it. So neither `close` nor an eviction pulls memory from under a view.
    """

    __slots__ = ("_release", "model", "pointer")

    def __init__(self, api: Api, pointer: int, model: Pin | None) -> None:
        self.pointer = pointer
        self.model = model
        self._release = api.ReleaseSession

    def __del__(self, _finalizing: object = sys.is_finalizing) -> None:
        # At exit the process's memory goes anyway, and the library may be half torn down.
        if not _finalizing():  # type: ignore[operator]
            self._release(self.pointer)


class Session:
    """An opened model. Any number of threads may `run` it at once.

    `inputs` and `outputs` are what the model declares, in its order.
    """

    def __init__(self, library: Library, native: _Native) -> None:
        self._library = library
        self._native: _Native | None = native
        self._metadata: dict[str, str] | None = None
        # Names go back to ONNX Runtime byte for byte; the specs' are for people and may have been mended.
        self._in_names, self.inputs = read_inputs(library, native.pointer)
        self._out_names, self.outputs = read_outputs(library, native.pointer)
        self._out_index = {spec.name: index for index, spec in enumerate(self.outputs)}
        self._everything = range(len(self.outputs))
        # By the kind of inputs and the outputs asked for: how many runs there were without a plan; then the
        # plans that no thread is using just now.
        self._plans: dict[Key, int | list[Plan]] = {}
        # For C, and for the runs that ask for everything.
        self._in_array = (c_char_p * len(self._in_names))(*self._in_names)
        self._out_array = (c_char_p * len(self._out_names))(*self._out_names)

    @classmethod
    def open(cls, library: Library, model: str | Buffer, options: SessionOptions | None = None) -> Session:
        """Open a model from its path, or from its bytes.

        Bytes that the options say are used in place are pinned until the session and its last output are gone
        (so an mmap cannot be closed, nor a bytearray resized); others are free again when this returns.

        Raises:
            OrtError: ONNX Runtime cannot open it; `reason` says whether it is no model (INVALID_PROTOBUF),
                one with a broken graph (INVALID_GRAPH), one with an unknown operator (NOT_IMPLEMENTED) …
        """
        options = options or SessionOptions()
        api, session = library.api, c_void_p()
        native_options = options.create(api)
        pin = None
        try:
            if isinstance(model, str):
                api.CreateSession(library.env, text(model), native_options, byref(session))
            else:
                pin = Pin(model)
                api.CreateSessionFromArray(
                    library.env, pin.address, pin.nbytes, native_options, byref(session)
                )
        finally:
            api.ReleaseSessionOptions(native_options)
        return cls(library, _Native(api, session.value or 0, pin if options.in_place else None))

    def close(self) -> None:
        """Let go of the model; runs in progress finish. Its memory is freed with the last output held."""
        self._native = None
        self._plans.clear()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def metadata(self) -> dict[str, str]:
        """The model's own key-value pairs (ONNX's `metadata_props`)."""
        if self._metadata is None:
            native = self._held()  # held by name: another thread may close meanwhile
            self._metadata = read_metadata(self._library, native.pointer)
        return self._metadata

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[str] | None = None, *, deadline: float | None = None
    ) -> list[Tensor]:
        """Run the model: the outputs asked for (none named: all), in that order, as tensors.

        An output that is no tensor is answered by several, or none: see `containers`. It may be asked for by
        the name of one of them, and is then answered whole. Numeric data is a
        read-only memoryview over ONNX Runtime's memory, which lives as long as a view of it does.
        `deadline` is in `time.monotonic` seconds; see `Stopper` for how exactly it is kept.

        Raises:
            InvalidRequest: an unknown name, or inputs that do not fit what is declared or (OrtInvalidInput)
                what the graph can compute.
            TooLarge: (OrtOutOfMemory) not enough memory.
            Unavailable: past its deadline, or the session is closed.
            Unsupported: an input or output with no form in the protocol.
            OrtError: ONNX Runtime failed for another reason.
        """
        native = self._held()
        key = tuple([(t.name, t.datatype, t.shape) for t in inputs]), tuple(outputs or ())
        plans = self._plans.get(key)
        if not isinstance(plans, list):
            return self._run_unplanned(native, key, inputs, outputs, deadline)
        try:
            plan = plans.pop()
        except IndexError:
            plan = self._plan(native, inputs, outputs)
        try:
            return plan(inputs, deadline)
        except (BufferError, TypeError):
            # Data of another size than its shape's, or none at all: said in full there.
            return self._run_once(native, inputs, outputs, deadline)
        except OrtError as error:
            raise run_error(error) from None
        finally:
            plans.append(plan)

    def _run_unplanned(
        self,
        native: _Native,
        key: Key,
        inputs: Sequence[Tensor],
        outputs: Sequence[str] | None,
        deadline: float | None,
    ) -> list[Tensor]:
        found = self._run_once(native, inputs, outputs, deadline)
        before = self._plans.get(key, 0)
        if isinstance(before, int) and before <= UNPLANNED:
            while key not in self._plans and len(self._plans) >= MAX_KINDS:
                self._plans.pop(next(iter(self._plans)), None)
            self._plans[key] = before + 1
            if before == UNPLANNED:
                from coldpress.ort.plan import is_plain  # not on the cold path

                tensors = all(self.outputs[index].kind == "tensor" for index in self._chosen(outputs))
                if tensors and is_plain(inputs):
                    self._plans[key] = []
        return found

    def _plan(self, native: _Native, inputs: Sequence[Tensor], outputs: Sequence[str] | None) -> Plan:
        from coldpress.ort.plan import Plan

        chosen = self._chosen(outputs)
        names = [self.outputs[index].name for index in chosen]
        out_names = (c_char_p * len(chosen))(*[self._out_names[index] for index in chosen])
        return Plan(self._library, native, match(self.inputs, inputs), self._in_array, names, out_names)

    def _run_once(
        self,
        native: _Native,
        inputs: Sequence[Tensor],
        outputs: Sequence[str] | None,
        deadline: float | None,
    ) -> list[Tensor]:
        chosen = self._chosen(outputs)
        values = Inputs(self._library)
        try:
            found = self._run(
                native, [values.add(tensor) for tensor in match(self.inputs, inputs)], chosen, deadline
            )
            return self._read(values, chosen, found)
        finally:
            values.close()

    def _held(self) -> _Native:
        native = self._native
        if native is None:
            raise Unavailable("the model was closed before this request ran; send it again")
        return native

    def _chosen(self, outputs: Sequence[str] | None) -> Sequence[int]:
        if not outputs:
            return self._everything
        if len(set(outputs)) != len(outputs):
            raise InvalidRequest(f"an output is asked for twice in {list(outputs)}")
        chosen = [self._index_of(name) for name in outputs]
        return list(dict.fromkeys(chosen)) if len(chosen) > 1 else chosen

    def _index_of(self, name: str) -> int:
        index = self._out_index.get(name)
        if index is None:
            # One of the tensors that answer for an output that is none, such as the keys of a map.
            index = self._out_index.get(name.rpartition(".")[0])
            if index is None or self.outputs[index].kind in ("tensor", "optional"):
                raise InvalidRequest(f"no output {name!r}; the model's outputs are {names_of(self.outputs)}")
        return index

    def _run(
        self, native: _Native, inputs: list[int], chosen: Sequence[int], deadline: float | None
    ) -> list[Value | None]:
        api, given, wanted = self._library.api, len(inputs), len(chosen)
        in_names, in_values = self._in_array, (c_void_p * given)(*inputs)
        out_names = self._out_array
        if chosen != self._everything:
            out_names = (c_char_p * wanted)(*[self._out_names[index] for index in chosen])
        out_values = (c_void_p * wanted)()

        def call(run_options: c_void_p | None) -> None:
            api.Run(native.pointer, run_options, in_names, in_values, given, out_names, wanted, out_values)

        try:
            if deadline is None:
                call(None)
            else:
                from coldpress.ort.deadline import Stopper  # imports threading

                Stopper(api).run_until(deadline, call)
        except OrtError as error:
            raise run_error(error) from None
        return [Value(api, pointer, native) if pointer else None for pointer in out_values]

    def _read(self, inputs: Inputs, chosen: Sequence[int], found: list[Value | None]) -> list[Tensor]:
        tensors: list[Tensor] = []
        for index, value in zip(chosen, found, strict=True):
            spec = self.outputs[index]
            if value is None:
                continue
            if spec.kind == "tensor":
                tensors.append(read_tensor(self._library, inputs, spec.name, value))
            else:
                from coldpress.ort.containers import read_any  # few models need it

                tensors.extend(read_any(self._library, inputs, spec.name, value))
        return tensors
